//! Requests, answered by what the test wrote down ([`super::Site::answers`]), and kept with the secrets that the host
//! would have put into them ([`super::Site::sent`]).

use super::{
    origin,
    secrets::{Bound, Credential, Secret},
    site::{around, right},
    types::{Error, Unavailability},
};
use serde_json::Value;
use std::cell::RefCell;

const MAX_REQUESTS: usize = 16;
const MAX_HEADERS: usize = 64;
const MAX_HEADER: usize = 8 << 10;
const MAX_BODY: usize = 1 << 20;

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
const OPEN_HEADERS: [&str; 5] = ["content-type", "content-length", "date", "retry-after", "www-authenticate"];
const OPEN_MEMBERS: [&str; 8] =
    ["error", "error_description", "code", "message", "scope", "token_type", "issued_at", "expires_at"];

/// What a test lets an origin answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A status without a body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A body of JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { body: body.to_string().into_bytes(), ..Self::status(status).header("content-type", "application/json") }
    }

    /// With a header field more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }
}

/// The field `Authorization`, as the host would have filled it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// RFC 7617.
    Basic {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// RFC 6750.
    Bearer(String),
}

/// The body of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    #[default]
    None,
    /// Fields of a form, secrets among them.
    Form(Vec<(String, String)>),
    /// Bytes as they are.
    Bytes(Vec<u8>),
}

/// A request that was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// `GET`, `POST`, ….
    pub method: String,
    /// The URL.
    pub url: String,
    /// The plugin's own header fields, names in small letters.
    pub headers: Vec<(String, String)>,
    /// Who it says that it is.
    pub authorization: Option<Authorization>,
    /// What it carries.
    pub body: Body,
}

#[derive(Debug)]
struct Draft {
    request: Sent,
    secrets: Vec<Bound>,
    sent: bool,
}

/// A request that is being put together.
#[derive(Debug)]
pub struct Request(RefCell<Draft>);

impl Request {
    /// A request of this method to this URL.
    pub fn new(method: &str, url: &str) -> Self {
        let request = Sent { method: method.to_owned(), url: url.to_owned(), ..Sent::default() };
        Self(RefCell::new(Draft { request, secrets: Vec::new(), sent: false }))
    }

    /// Adds a header field.
    ///
    /// # Errors
    /// `denied` for the host's own, `invalid`.
    pub fn header(&self, name: &str, value: &str) -> Result<(), Error> {
        let lower = name.to_ascii_lowercase();
        if HOSTS_OWN.contains(&lower.as_str()) {
            return Err(Error::Denied(format!("the header {lower} is the host's own")));
        }
        let mut draft = self.0.borrow_mut();
        let clean = value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b));
        if !token(name) || !clean || value.len() > MAX_HEADER || draft.request.headers.len() >= MAX_HEADERS {
            return Err(Error::Invalid(format!(
                "a header is a token and at most {MAX_HEADER} plain bytes, at most {MAX_HEADERS} of them"
            )));
        }
        draft.request.headers.push((lower, value.to_owned()));
        Ok(())
    }

    fn authorize(&self, value: Authorization, bound: Bound) -> Result<(), Error> {
        let mut draft = self.0.borrow_mut();
        if draft.request.authorization.is_some() {
            return Err(Error::Invalid("the request has an authorization already".to_owned()));
        }
        draft.request.authorization = Some(value);
        draft.secrets.push(bound);
        Ok(())
    }

    /// `Authorization: Basic` from a credential of the kind `password`.
    ///
    /// # Errors
    /// `invalid`.
    pub fn basic(&self, credential: &Credential) -> Result<(), Error> {
        let (user, password) = credential.basic()?;
        self.authorize(Authorization::Basic { user, password }, Bound::Challenge)
    }

    /// `Authorization: Bearer`.
    ///
    /// # Errors
    /// `invalid`.
    pub fn bearer(&self, secret: &Secret) -> Result<(), Error> {
        self.authorize(Authorization::Bearer(secret.value().to_owned()), secret.bound().clone())
    }

    fn field(&self, field: &str, value: &str, secret: Option<Bound>) -> Result<(), Error> {
        let mut draft = self.0.borrow_mut();
        let mut fields = match &draft.request.body {
            Body::None => Vec::new(),
            Body::Form(fields) => fields.clone(),
            Body::Bytes(_) => return Err(Error::Invalid("the request has a body already".to_owned())),
        };
        fields.push((field.to_owned(), value.to_owned()));
        draft.request.body = Body::Form(fields);
        draft.secrets.extend(secret);
        Ok(())
    }

    /// Adds a form field.
    ///
    /// # Errors
    /// `invalid` after a body.
    pub fn form(&self, field: &str, value: &str) -> Result<(), Error> {
        self.field(field, value, None)
    }

    /// Adds a form field whose value is a secret.
    ///
    /// # Errors
    /// `invalid` after a body.
    pub fn form_secret(&self, field: &str, secret: &Secret) -> Result<(), Error> {
        self.field(field, secret.value(), Some(secret.bound().clone()))
    }

    /// Adds a form field whose value is the credential's secret.
    ///
    /// # Errors
    /// `invalid` after a body.
    pub fn form_credential(&self, field: &str, credential: &Credential) -> Result<(), Error> {
        self.field(field, credential.value(), Some(Bound::Challenge))
    }

    /// Sets the body.
    ///
    /// # Errors
    /// `invalid` after another, or past 1 MiB.
    pub fn body(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut draft = self.0.borrow_mut();
        if draft.request.body != Body::None || bytes.len() > MAX_BODY {
            return Err(Error::Invalid(format!("a request has one body, of at most {MAX_BODY} bytes")));
        }
        draft.request.body = Body::Bytes(bytes.to_vec());
        Ok(())
    }

    /// Sends the request: it is kept, and the next answer that the test wrote down for it is given.
    ///
    /// # Errors
    /// `denied`, `invalid`, `internal` past 16 requests, and `unavailable` where no answer is left.
    pub fn send(&self) -> Result<Response, Error> {
        if around(|site| site.sent.len()) >= MAX_REQUESTS {
            return Err(Error::Internal(format!("a call makes at most {MAX_REQUESTS} requests")));
        }
        let mut draft = self.0.borrow_mut();
        if std::mem::replace(&mut draft.sent, true) {
            return Err(Error::Invalid("the request was sent already".to_owned()));
        }
        let Sent { method, url, .. } = &draft.request;
        if !token(method) || method.len() > 32 {
            return Err(Error::Invalid("the method is no token".to_owned()));
        }
        let origin = origin::of(url)?;
        right("http", &format!("http {origin}"))?;
        if !draft.secrets.iter().all(|bound| bound.allows(&origin)) {
            return Err(Error::Denied(format!("the secret is not for {origin}")));
        }
        let reply = around(|site| {
            site.sent.push(draft.request.clone());
            let next = site.script.iter().position(|(m, u, _)| m.eq_ignore_ascii_case(method) && u == url)?;
            Some(site.script.remove(next).2)
        });
        match reply {
            Some(reply) => Ok(Response { reply, origin, guarded: !draft.secrets.is_empty() }),
            None => Err(Error::Unavailable(Unavailability {
                retry_ms: 0,
                message: format!("the test has no answer to {method} {url}"),
            })),
        }
    }
}

fn token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// An answer. That to a request with a secret is read as little as in the engine.
#[derive(Debug)]
pub struct Response {
    reply: Reply,
    origin: String,
    guarded: bool,
}

impl Response {
    fn parsed(&self) -> Result<Value, Error> {
        serde_json::from_slice(&self.reply.body)
            .map_err(|_| Error::Invalid(format!("{} did not answer in JSON", self.origin)))
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.reply.status
    }

    /// The first header field of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<String> {
        let name = name.to_ascii_lowercase();
        if self.guarded && !OPEN_HEADERS.contains(&name.as_str()) {
            return None;
        }
        self.reply.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone())
    }

    /// The whole body.
    ///
    /// # Errors
    /// `denied` after a request that carried a secret.
    pub fn body(&self) -> Result<Vec<u8>, Error> {
        if self.guarded {
            let text = "the answer to a request that carried a secret; use json and take-secret";
            return Err(Error::Denied(text.to_owned()));
        }
        Ok(self.reply.body.clone())
    }

    /// The text at a JSON pointer, as a handle.
    ///
    /// # Errors
    /// `invalid`, `not-found`.
    pub fn take_secret(&self, pointer: &str) -> Result<Secret, Error> {
        match self.parsed()?.pointer(pointer) {
            Some(Value::String(text)) => Ok(Secret::answered(text, &self.origin)),
            _ => Err(Error::NotFound(format!("no text at {pointer} in the answer of {}", self.origin))),
        }
    }

    /// The value at a JSON pointer: text as it is, everything else as JSON.
    ///
    /// # Errors
    /// `invalid`, `denied`.
    pub fn json(&self, pointer: &str) -> Result<Option<String>, Error> {
        let parsed = self.parsed()?;
        let Some(value) = parsed.pointer(pointer) else { return Ok(None) };
        let open = match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
            Value::String(_) => pointer.rsplit('/').next().is_some_and(|member| OPEN_MEMBERS.contains(&member)),
            _ => false,
        };
        if self.guarded && !open {
            return Err(Error::Denied(format!("{pointer} of an answer that may hold secrets")));
        }
        Ok(Some(match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }))
    }
}
