//! How this site logs in to registries: with the credential that the caller sent, else anonymously; tokens are fetched
//! from the realm that the registry names (distribution token specification).
//!
//!     [plugins.my-plugin.config]
//!     mirror = "https://mirror.example"    # asked first; absent: the registry itself
//!     digest = "required"                  # only what is pinned by a digest; absent: everything

use davit_plugin_sdk::{
    auth::{
        Answer, Challenge, Credential, Endpoints, Error, ManifestView, RegistryAuth, Request, Resolver, Response,
        Result, Verifier,
    },
    host::{self, config},
};

struct MyPlugin;

/// The token specification's default, which registries rely on.
const DEFAULT_SECONDS: u32 = 60;
/// A token is asked for anew this long before it ends, so that it does not end on its way.
const MARGIN: u32 = 5;
const CLIENT: &str = "davit";

fn basic(challenge: &Challenge, answer: &Answer) -> Result<()> {
    let Some(credential) = challenge.offered() else {
        return Err(Error::Denied(format!(
            "{} wants a login, and there is no credential for it; run: davit login {}",
            challenge.registry(),
            challenge.registry()
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

/// `repository:NAME:ACTIONS`, as the registry asked for it or as we need it.
fn scope(challenge: &Challenge) -> Option<String> {
    challenge.param("scope").or_else(|| {
        let actions = challenge.actions().join(",");
        challenge.repository().map(|repository| format!("repository:{repository}:{actions}"))
    })
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

fn check_status(response: &Response, realm: &str) -> Result<()> {
    match response.status() {
        200..=299 => Ok(()),
        401 | 403 => Err(Error::Denied(format!("the token server {realm} refused the credential"))),
        429 | 500..=599 => Err(Error::Unavailable(davit_plugin_sdk::Unavailability {
            retry_ms: response.header("retry-after").and_then(|s| s.parse::<u64>().ok()).unwrap_or(1) * 1000,
            message: format!("the token server {realm} answered {}", response.status()),
        })),
        status => Err(Error::Other(format!("the token server {realm} answered {status}"))),
    }
}

fn seconds(response: &Response) -> Result<u32> {
    let said = response.json("/expires_in")?.and_then(|s| s.parse::<u32>().ok());
    Ok(said.unwrap_or(DEFAULT_SECONDS).saturating_sub(MARGIN))
}

fn bearer(challenge: &Challenge, answer: &Answer) -> Result<()> {
    let credential = challenge.offered();
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
    check_status(&response, &realm)?;
    let token = match response.take_secret("/token") {
        Ok(token) => token,
        Err(Error::NotFound(_)) => response.take_secret("/access_token")?,
        Err(error) => return Err(error),
    };
    answer.bearer(&token, seconds(&response)?)
}

impl RegistryAuth for MyPlugin {
    fn authenticate(challenge: &Challenge, answer: &Answer) -> Result<()> {
        match challenge.scheme().as_str() {
            // Nothing is sent before it is asked for.
            "none" => {
                answer.anonymous();
                Ok(())
            }
            "basic" => basic(challenge, answer),
            "bearer" => bearer(challenge, answer),
            other => {
                host::warn(format!("{} asks for {other}", challenge.registry()));
                Err(Error::Unsupported(format!("the authentication scheme {other:?}")))
            }
        }
    }
}

impl Resolver for MyPlugin {
    fn resolve(_: &str, _: &str, endpoints: &Endpoints) -> Result<()> {
        match config::get("mirror")? {
            Some(origin) => endpoints.add(&origin, ""),
            None => Ok(()),
        }
    }
}

impl Verifier for MyPlugin {
    fn verify(manifest: &ManifestView) -> Result<()> {
        let reference = manifest.reference();
        if config::get("digest")?.as_deref() == Some("required") && !reference.contains("@sha256:") {
            return Err(Error::Denied(format!(
                "{reference} is not pinned by a digest; it is {} now",
                manifest.digest()
            )));
        }
        Ok(())
    }
}

davit_plugin_sdk::export!(registry_auth: MyPlugin, resolver, verifier);

#[cfg(test)]
mod tests;
