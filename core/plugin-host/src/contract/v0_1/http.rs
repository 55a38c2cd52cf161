//! `http`: requests to granted origins, put together by the guest and filled with secrets here. The answer to a request
//! that carried a secret is read through a list of members that are none.

use super::{
    bindings::davit::host::http,
    refusal::{Answer, Refusal},
    secrets::{HeldCredential, HeldSecret},
};
use crate::{
    context::Context,
    origin::Origin,
    secret::{Bound, OPEN_HEADERS, OPEN_MEMBERS},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use davit_model::{
    error::PolicyError,
    secret::Secret,
    services::{HttpRequest, HttpResponse},
};
use url::{Url, form_urlencoded};
use wasmtime::component::Resource;

const MAX_REQUESTS: u32 = 16;
const MAX_HEADERS: usize = 64;
const MAX_HEADER: usize = 8 << 10;
const MAX_METHOD: usize = 32;
const MAX_URL: usize = 8 << 10;
const MAX_BODY: usize = 1 << 20;
const MAX_ANSWER: u64 = 8 << 20;
const TIMEOUT_MS: u64 = 10_000;

const HOSTS_OWN: [&str; 8] = [
    "host",
    "authorization",
    "proxy-authorization",
    "cookie",
    "content-length",
    "connection",
    "transfer-encoding",
    "upgrade",
];
#[derive(Debug)]
enum Body {
    None,
    Bytes(Vec<u8>),
    Form(Secret),
}

/// What is behind `request`.
#[derive(Debug)]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    authorization: Option<Secret>,
    body: Body,
    secrets: Vec<Bound>,
    sent: bool,
    /// Bytes of all of it.
    kept: usize,
}

/// What is behind `response`.
#[derive(Debug)]
pub struct Response {
    answer: HttpResponse,
    origin: Origin,
    guarded: bool,
    kept: usize,
}

impl Response {
    fn parsed(&self) -> Result<serde_json::Value, PolicyError> {
        serde_json::from_slice(&self.answer.body)
            .map_err(|_| PolicyError::Invalid(format!("{} did not answer in JSON", self.origin)))
    }
}

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::Policy(PolicyError::Invalid(text.into()))
}

impl Request {
    fn authorize(&mut self, value: String, bound: Bound) -> Answer<()> {
        if self.authorization.is_some() {
            return Err(invalid("the request has an authorization already"));
        }
        self.authorization = Some(Secret::new(value));
        self.secrets.push(bound);
        Ok(())
    }

    fn field(&mut self, name: &str, value: &str) -> Answer<()> {
        let before = match &self.body {
            Body::None => String::new(),
            Body::Form(form) => form.reveal().to_owned(),
            Body::Bytes(_) => return Err(invalid("the request has a body already")),
        };
        let form = form_urlencoded::Serializer::new(before).append_pair(name, value).finish();
        if form.len() > MAX_BODY {
            return Err(invalid(format!("a body has at most {MAX_BODY} bytes")));
        }
        self.body = Body::Form(Secret::new(form));
        Ok(())
    }
}

fn token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

impl Context {
    /// A guest learns of a server that does not answer, and has time left to do something about it.
    fn http_timeout_ms(&self) -> u64 {
        let most = self.left() * 3 / 4;
        u64::try_from(most.as_millis()).unwrap_or(TIMEOUT_MS).clamp(1, TIMEOUT_MS)
    }

    /// Counts what is about to be added to a request; it goes when the request goes.
    fn keep_more(&mut self, request: &Resource<Request>, bytes: usize) -> Answer<()> {
        self.keep(bytes)?;
        self.table().get_mut(request)?.kept += bytes;
        Ok(())
    }

    fn check_target(&mut self, request: &Resource<Request>) -> Answer<(HttpRequest, Origin, bool)> {
        let challenge = self.challenge().cloned();
        let timeout_ms = self.http_timeout_ms();
        let held = self.table().get_mut(request)?;
        if held.sent {
            return Err(invalid("the request was sent already"));
        }
        held.sent = true;
        if !token(&held.method) || held.method.len() > MAX_METHOD {
            return Err(invalid("the method is no token"));
        }
        if held.url.len() > MAX_URL {
            return Err(invalid(format!("a URL has at most {MAX_URL} bytes")));
        }
        let url = Url::parse(&held.url).map_err(|e| invalid(format!("the URL cannot be read: {e}")))?;
        let origin = Origin::of(&url)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("a URL must not hold user info"));
        }
        let (body, content_type) = match std::mem::replace(&mut held.body, Body::None) {
            Body::None => (None, None),
            Body::Form(form) => (Some(form), Some("application/x-www-form-urlencoded".to_owned())),
            Body::Bytes(bytes) => {
                let text = String::from_utf8(bytes).map_err(|_| invalid("a body must be UTF-8"))?;
                (Some(Secret::new(text)), None)
            }
        };
        let out = HttpRequest {
            method: held.method.to_ascii_uppercase(),
            url: url.to_string(),
            headers: held.headers.clone(),
            authorization: held.authorization.clone(),
            body,
            content_type,
            max_body: MAX_ANSWER,
            timeout_ms,
            allow_link_local: false,
        };
        let secrets = held.secrets.clone();
        let rights = self.rights();
        rights.http(&out.method, &origin, challenge.as_deref())?;
        for bound in &secrets {
            rights.may_send(bound, &out.method, &origin, challenge.as_deref())?;
        }
        let out = HttpRequest { allow_link_local: rights.link_local(), ..out };
        Ok((out, origin, !secrets.is_empty()))
    }
}

impl http::Host for Context {}

impl http::HostRequest for Context {
    fn new(&mut self, mut method: String, mut url: String) -> wasmtime::Result<Resource<Request>> {
        self.enter()?;
        // Too long, and refused when it is sent: no more of it is needed to know that.
        method = method.chars().take(MAX_METHOD + 1).collect();
        url = url.chars().take(MAX_URL + 1).collect();
        let kept = method.len() + url.len();
        self.keep(kept).map_err(|e| wasmtime::Error::msg(e.to_string()))?;
        let request = Request {
            method,
            url,
            headers: Vec::new(),
            authorization: None,
            body: Body::None,
            secrets: Vec::new(),
            sent: false,
            kept,
        };
        Ok(self.table().push(request)?)
    }

    fn header(&mut self, request: Resource<Request>, name: String, value: String) -> Answer<()> {
        self.enter()?;
        let lower = name.to_ascii_lowercase();
        if HOSTS_OWN.contains(&lower.as_str()) {
            return Err(PolicyError::Denied(format!("the header {lower} is the host's own")).into());
        }
        let held = self.table().get_mut(&request)?;
        let clean = value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b));
        if !token(&name) || !clean || value.len() > MAX_HEADER || held.headers.len() >= MAX_HEADERS {
            return Err(invalid(format!(
                "a header is a token and at most {MAX_HEADER} plain bytes, at most {MAX_HEADERS} of them"
            )));
        }
        self.keep_more(&request, lower.len() + value.len())?;
        self.table().get_mut(&request)?.headers.push((lower, value));
        Ok(())
    }

    fn basic(&mut self, request: Resource<Request>, credential: Resource<HeldCredential>) -> Answer<()> {
        self.enter()?;
        let (user, password) = self.table().get(&credential)?.password()?;
        let value = format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal())));
        self.keep_more(&request, value.len())?;
        self.table().get_mut(&request)?.authorize(value, Bound::Challenge)
    }

    fn bearer(&mut self, request: Resource<Request>, secret: Resource<HeldSecret>) -> Answer<()> {
        self.enter()?;
        let secret = self.table().get(&secret)?.clone();
        let value = format!("Bearer {}", secret.value().reveal());
        self.keep_more(&request, value.len())?;
        self.table().get_mut(&request)?.authorize(value, secret.bound().clone())
    }

    fn form(&mut self, request: Resource<Request>, field: String, value: String) -> Answer<()> {
        self.enter()?;
        // Encoded, a byte is three at most.
        self.keep_more(&request, 3 * (field.len() + value.len()) + 2)?;
        self.table().get_mut(&request)?.field(&field, &value)
    }

    fn form_secret(&mut self, request: Resource<Request>, field: String, secret: Resource<HeldSecret>) -> Answer<()> {
        self.enter()?;
        let secret = self.table().get(&secret)?.clone();
        self.keep_more(&request, 3 * (field.len() + secret.value().reveal().len()) + 2)?;
        let held = self.table().get_mut(&request)?;
        held.field(&field, secret.value().reveal())?;
        held.secrets.push(secret.bound().clone());
        Ok(())
    }

    fn form_credential(
        &mut self,
        request: Resource<Request>,
        field: String,
        credential: Resource<HeldCredential>,
    ) -> Answer<()> {
        self.enter()?;
        let secret = self.table().get(&credential)?.0.secret.clone();
        self.keep_more(&request, 3 * (field.len() + secret.reveal().len()) + 2)?;
        let held = self.table().get_mut(&request)?;
        held.field(&field, secret.reveal())?;
        held.secrets.push(Bound::Challenge);
        Ok(())
    }

    fn body(&mut self, request: Resource<Request>, bytes: Vec<u8>) -> Answer<()> {
        self.enter()?;
        if !matches!(self.table().get(&request)?.body, Body::None) || bytes.len() > MAX_BODY {
            return Err(invalid(format!("a request has one body, of at most {MAX_BODY} bytes")));
        }
        self.keep_more(&request, bytes.len())?;
        self.table().get_mut(&request)?.body = Body::Bytes(bytes);
        Ok(())
    }

    async fn send(&mut self, request: Resource<Request>) -> Answer<Resource<Response>> {
        self.enter()?;
        self.count_http(MAX_REQUESTS)?;
        let (out, origin, guarded) = self.check_target(&request)?;
        let services = self.services().clone();
        let plugin = self.site_name().to_owned();
        let answer = self.wait(services.http(&plugin, out)).await??;
        let headers: usize = answer.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let kept = headers + answer.body.len();
        self.keep(kept)?;
        Ok(self.table().push(Response { answer, origin, guarded, kept })?)
    }

    fn drop(&mut self, request: Resource<Request>) -> wasmtime::Result<()> {
        let kept = self.table().delete(request)?.kept;
        self.let_go(kept);
        Ok(())
    }
}

impl http::HostResponse for Context {
    fn status(&mut self, response: Resource<Response>) -> wasmtime::Result<u16> {
        self.enter()?;
        Ok(self.table().get(&response)?.answer.status)
    }

    fn header(&mut self, response: Resource<Response>, name: String) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        let name = name.to_ascii_lowercase();
        let held = self.table().get(&response)?;
        if held.guarded && !OPEN_HEADERS.contains(&name.as_str()) {
            return Ok(None);
        }
        Ok(held.answer.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone()))
    }

    fn body(&mut self, response: Resource<Response>) -> Answer<Vec<u8>> {
        self.enter()?;
        let held = self.table().get(&response)?;
        if held.guarded {
            let text = "the answer to a request that carried a secret; use json and take-secret";
            return Err(PolicyError::Denied(text.to_owned()).into());
        }
        Ok(held.answer.body.clone())
    }

    fn take_secret(&mut self, response: Resource<Response>, pointer: String) -> Answer<Resource<HeldSecret>> {
        self.enter()?;
        let held = self.table().get(&response)?;
        let parsed = held.parsed()?;
        let origin = held.origin.clone();
        let Some(serde_json::Value::String(text)) = parsed.pointer(&pointer) else {
            return Err(PolicyError::NotFound(format!("no text at {pointer} in the answer of {origin}")).into());
        };
        self.hold(HeldSecret::answered(Secret::new(text.as_str()), origin))
    }

    fn json(&mut self, response: Resource<Response>, pointer: String) -> Answer<Option<String>> {
        self.enter()?;
        let held = self.table().get(&response)?;
        let parsed = held.parsed()?;
        let Some(value) = parsed.pointer(&pointer) else { return Ok(None) };
        let open = match value {
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => true,
            serde_json::Value::String(_) => pointer.rsplit('/').next().is_some_and(|m| OPEN_MEMBERS.contains(&m)),
            _ => false,
        };
        if held.guarded && !open {
            return Err(PolicyError::Denied(format!("{pointer} of an answer that may hold secrets")).into());
        }
        Ok(Some(match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        }))
    }

    fn drop(&mut self, response: Resource<Response>) -> wasmtime::Result<()> {
        let kept = self.table().delete(response)?.kept;
        self.let_go(kept);
        Ok(())
    }
}
