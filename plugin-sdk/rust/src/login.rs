//! How registries are logged in to everywhere: the distribution project's token specification, its OAuth2 companion, and
//! Basic. For plugins whose own point is another one (mirrors, trust), and which answer challenges as usual.

use crate::{
    Error, Result, Unavailability,
    auth::{Answer, Challenge, Credential, Request, Response},
    host::secrets,
};

/// The token specification's default, which registries rely on.
const DEFAULT_SECONDS: u32 = 60;
/// A token is asked for anew this long before it ends, so that it does not end on its way.
const MARGIN: u32 = 5;
const CLIENT: &str = "davit";

/// Answers with the caller's own credential, else with a stored one where the grant allows that for this caller, else
/// anonymously. Nothing is sent before it is asked for. A token comes from the realm: needs `http = ["realm"]`, and for
/// stored credentials `credentials = true`.
///
/// # Errors
/// `denied` where there is no credential, or the registry or its token server refused it; `unavailable` where the token
/// server cannot answer; `unsupported` for another scheme than Basic and Bearer.
pub fn answer(challenge: &Challenge, answer: &Answer) -> Result<()> {
    match challenge.scheme().as_str() {
        "none" => {
            answer.anonymous();
            Ok(())
        }
        "basic" => basic(challenge, answer),
        "bearer" => bearer(challenge, answer),
        other => {
            Err(Error::Unsupported(format!("{} asks for the authentication scheme {other:?}", challenge.registry())))
        }
    }
}

/// The scope that a token is for: what the registry named, else `repository:NAME:ACTIONS`.
pub fn scope(challenge: &Challenge) -> Option<String> {
    challenge.param("scope").or_else(|| {
        let actions = challenge.actions().join(",");
        challenge.repository().map(|repository| format!("repository:{repository}:{actions}"))
    })
}

/// How long a token of this answer may be used, in seconds, with a margin for its way.
///
/// # Errors
/// What the answer's JSON does not give.
pub fn seconds(response: &Response) -> Result<u32> {
    let said = response.json("/expires_in")?.and_then(|s| s.parse::<u32>().ok());
    Ok(said.unwrap_or(DEFAULT_SECONDS).saturating_sub(MARGIN))
}

/// An answer that says to come back later, as an error; none for every other.
pub fn busy(response: &Response, server: &str) -> Option<Error> {
    let status = response.status();
    matches!(status, 429 | 500..=599).then(|| {
        let after = response.header("retry-after").and_then(|s| s.trim().parse::<u64>().ok());
        Error::Unavailable(Unavailability {
            retry_ms: after.unwrap_or(1).saturating_mul(1000),
            message: format!("{server} answered {status}"),
        })
    })
}

/// The caller's own credential first; what is kept at the daemon serves only whom the site names.
fn credential(challenge: &Challenge) -> Result<Option<Credential>> {
    if let Some(offered) = challenge.offered() {
        return Ok(Some(offered));
    }
    match secrets::stored(&challenge.registry()) {
        Ok(stored) => Ok(stored),
        // Without that right for this caller there is just no credential.
        Err(Error::Denied(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn basic(challenge: &Challenge, answer: &Answer) -> Result<()> {
    let registry = challenge.registry();
    let Some(credential) = credential(challenge)? else {
        return Err(Error::Denied(format!(
            "{registry} wants a login, and there is no credential for it; run: davit login {registry}"
        )));
    };
    refuse_second_try(challenge)?;
    answer.basic(&credential)
}

/// The same credential would be refused again.
fn refuse_second_try(challenge: &Challenge) -> Result<()> {
    if challenge.attempt() <= 2 {
        return Ok(());
    }
    Err(Error::Denied(format!("{} refused the credential", challenge.registry())))
}

fn bearer(challenge: &Challenge, answer: &Answer) -> Result<()> {
    let credential = credential(challenge)?;
    if let Some(credential) = credential.as_ref().filter(|c| c.kind() == "registry-token") {
        refuse_second_try(challenge)?;
        return answer.bearer_credential(credential, 0);
    }
    let realm = challenge
        .param("realm")
        .ok_or_else(|| Error::Invalid(format!("{} asks for a token and names no realm", challenge.registry())))?;
    if challenge.attempt() > 3 {
        return Err(Error::Denied(format!(
            "{} refuses the tokens of {realm}: the account may lack {}",
            challenge.registry(),
            challenge.actions().join(" and ")
        )));
    }
    let response = match &credential {
        Some(credential) if credential.kind() == "identity-token" => ask_by_refresh(challenge, &realm, credential)?,
        other => ask_by_get(challenge, &realm, other.as_ref())?,
    };
    let server = format!("the token server {realm}");
    match response.status() {
        200..=299 => {}
        401 | 403 => return Err(Error::Denied(format!("{server} refused the credential"))),
        status => {
            return Err(busy(&response, &server).unwrap_or_else(|| Error::Other(format!("{server} answered {status}"))));
        }
    }
    let token = match response.take_secret("/token") {
        Err(Error::NotFound(_)) => response.take_secret("/access_token")?,
        other => other?,
    };
    answer.bearer(&token, seconds(&response)?)
}

fn ask_by_get(challenge: &Challenge, realm: &str, credential: Option<&Credential>) -> Result<Response> {
    let mut url = realm.to_owned();
    let mut separator = if realm.contains('?') { '&' } else { '?' };
    let mut add = |key: &str, value: &str| {
        url.push_str(&format!("{separator}{key}={}", encoded(value)));
        separator = '&';
    };
    if let Some(service) = challenge.param("service") {
        add("service", &service);
    }
    if let Some(scope) = scope(challenge) {
        scope.split(' ').for_each(|one| add("scope", one));
    }
    if let Some(user) = credential.and_then(Credential::user) {
        add("account", &user);
    }
    add("client_id", CLIENT);
    let request = Request::new("GET", &url);
    if let Some(credential) = credential {
        request.basic(credential)?;
    }
    request.send()
}

fn ask_by_refresh(challenge: &Challenge, realm: &str, credential: &Credential) -> Result<Response> {
    let request = Request::new("POST", realm);
    request.form("grant_type", "refresh_token")?;
    request.form("client_id", CLIENT)?;
    if let Some(service) = challenge.param("service") {
        request.form("service", &service)?;
    }
    if let Some(scope) = scope(challenge) {
        request.form("scope", &scope)?;
    }
    request.form_credential("refresh_token", credential)?;
    request.send()
}

/// Percent-encoding for a query (RFC 3986, everything but unreserved characters).
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
