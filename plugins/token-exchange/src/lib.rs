//! Registry authentication with the site's own identity: a token that the site holds (a workload's OIDC token, say) is
//! traded at an exchange server for a token of the registry (OAuth 2.0 Token Exchange, RFC 8693). Neither is ever seen
//! here: one goes out and the other comes back as a handle.
//!
//!     [plugins.token-exchange.config]
//!     exchange = "https://sts.example/token"      # the exchange server; its origin is granted under `http`
//!     secret = "site-token"                       # a name of [secrets], granted under `secrets`
//!     audience = "registry.example"               # absent: the name of the registry that asks
//!     subject-token-type = "urn:ietf:params:oauth:token-type:id_token"    # absent: …:jwt
//!     callers = ["uid:0", "cn:ci.example"]        # whom the site's identity serves; absent: everybody
//!     form = { client_id = "davit" }              # what else the exchange server wants to be told
//!
//! The audience is the site's word or the registry's name, never what a registry says of itself: so a registry cannot
//! have a token made that serves at another one.

use davit_plugin_sdk::{
    auth::{Answer, Challenge, Error, RegistryAuth, Request, Response, Result},
    host::{config, secrets},
    login,
};
use serde::Deserialize;
use std::{collections::BTreeMap, net::IpAddr};

struct TokenExchange;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// How many tokens a registry may refuse before it is believed.
const TOKENS: u32 = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Config {
    exchange: String,
    secret: String,
    audience: Option<String>,
    subject_token_type: Option<String>,
    callers: Option<Vec<String>>,
    #[serde(default)]
    form: BTreeMap<String, String>,
}

impl Config {
    fn read() -> Result<Self> {
        let config: Self = serde_json::from_str(&config::section_json()?)
            .map_err(|e| Error::Invalid(format!("the plugin's configuration: {e}")))?;
        if !is_private(&config.exchange) {
            return Err(Error::Invalid(format!(
                "exchange = {:?} in the plugin's configuration must be https, since the site's token goes there",
                config.exchange
            )));
        }
        Ok(config)
    }

    fn serves(&self, caller: &str) -> bool {
        self.callers.as_ref().is_none_or(|callers| callers.iter().any(|c| c == caller))
    }
}

/// Whether what is sent there is not read on its way: https, or this machine itself.
fn is_private(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return url.starts_with("https://") };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => authority.split(':').next(),
    };
    host.is_some_and(|host| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|a| a.is_loopback()))
}

/// The request of RFC 8693, section 2.1.
fn trade(config: &Config, challenge: &Challenge) -> Result<Response> {
    let subject = secrets::named(&config.secret)?;
    let request = Request::new("POST", &config.exchange);
    request.header("accept", "application/json")?;
    request.form("grant_type", GRANT)?;
    request.form_secret("subject_token", &subject)?;
    request.form("subject_token_type", config.subject_token_type.as_deref().unwrap_or(JWT))?;
    request.form("requested_token_type", ACCESS_TOKEN)?;
    request.form("audience", &config.audience.clone().unwrap_or_else(|| challenge.registry()))?;
    if let Some(scope) = login::scope(challenge) {
        request.form("scope", &scope)?;
    }
    for (field, value) in &config.form {
        request.form(field, value)?;
    }
    request.send()
}

/// What an exchange server's refusal means (RFC 6749, section 5.2; RFC 8693, section 2.2.2). Only the code of it is
/// repeated: descriptions of such errors have been seen to quote the token.
fn check(response: &Response, exchange: &str, challenge: &Challenge) -> Result<()> {
    let status = response.status();
    if matches!(status, 200..=299) {
        return Ok(());
    }
    let server = format!("the exchange server {exchange}");
    if let Some(busy) = login::busy(response, &server) {
        return Err(busy);
    }
    let plain = |code: &String| code.len() <= 40 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let code = response.json("/error").ok().flatten().filter(plain);
    let said = code.as_ref().map_or_else(|| status.to_string(), |code| format!("{status}, {code}"));
    let by_policy =
        ["invalid_grant", "invalid_client", "invalid_scope", "invalid_target", "unauthorized_client", "access_denied"];
    if matches!(status, 401 | 403) || code.is_some_and(|code| by_policy.contains(&code.as_str())) {
        return Err(Error::Denied(format!(
            "{server} refused the site's token for {} ({said})",
            challenge.repository().unwrap_or_else(|| challenge.registry())
        )));
    }
    Err(Error::Other(format!("{server} answered {said}")))
}

fn bearer(challenge: &Challenge, answer: &Answer) -> Result<()> {
    let config = Config::read()?;
    let (registry, caller) = (challenge.registry(), challenge.caller());
    if !config.serves(&caller) {
        return Err(Error::Denied(format!(
            "the site's identity at {registry} does not serve {caller}; callers in the plugin's configuration names whom"
        )));
    }
    if challenge.attempt() > TOKENS {
        return Err(Error::Denied(format!(
            "{registry} refuses the tokens of {}: they may lack {}",
            config.exchange,
            challenge.actions().join(" and ")
        )));
    }
    let response = trade(&config, challenge)?;
    check(&response, &config.exchange, challenge)?;
    let without = |what: &str| Error::Other(format!("the exchange server {} answered {what}", config.exchange));
    let kind = response.json("/token_type").map_err(|_| without("something else than a token in JSON"))?;
    if let Some(kind) = kind.filter(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(without(&format!("a token of type {kind}, which no registry takes")));
    }
    let token = match response.take_secret("/access_token") {
        Err(Error::NotFound(_)) => return Err(without("without a token")),
        other => other?,
    };
    answer.bearer(&token, login::seconds(&response)?)
}

impl RegistryAuth for TokenExchange {
    fn authenticate(challenge: &Challenge, answer: &Answer) -> Result<()> {
        let registry = challenge.registry();
        // A login must not seem to have checked a password that then serves for nothing.
        if challenge.repository().is_none() && challenge.offered().is_some() {
            return Err(Error::Denied(format!(
                "this site's own identity logs in to {registry}; a login of one's own is not used"
            )));
        }
        match challenge.scheme().as_str() {
            // Nothing is sent before it is asked for.
            "none" => {
                answer.anonymous();
                Ok(())
            }
            "bearer" => bearer(challenge, answer),
            other => Err(Error::Unsupported(format!(
                "{registry} asks for {other}, and an exchanged token can only be sent as bearer"
            ))),
        }
    }
}

davit_plugin_sdk::export!(registry_auth: TokenExchange);
