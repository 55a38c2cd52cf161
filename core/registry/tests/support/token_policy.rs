//! A policy that fetches tokens, as a plugin would: by Basic, by nobody's name, or with an identity token. Native, and
//! for tests only.

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use davit_model::{
    auth::{Answer, Challenge, CredentialKind, RegistryAuth, Scheme},
    error::{PolicyError, PortError},
    secret::Secret,
};
use serde_json::Value;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// Offers what the caller offers.
#[derive(Debug, Default)]
pub(crate) struct TokenPolicy {
    /// How many tokens it fetched.
    pub(crate) fetched: AtomicUsize,
}

#[async_trait]
impl RegistryAuth for TokenPolicy {
    fn name(&self) -> &str {
        "tokens"
    }

    async fn authenticate(&self, challenge: &Challenge) -> Result<Answer, PortError> {
        if challenge.scheme != Scheme::Bearer {
            return Ok(Answer::Anonymous);
        }
        self.fetched.fetch_add(1, Ordering::SeqCst);
        let fail = |e| PortError::new("tokens@0.1.0", "authenticate", e);
        self.token(challenge).await.map_err(fail)
    }
}

impl TokenPolicy {
    async fn token(&self, challenge: &Challenge) -> Result<Answer, PolicyError> {
        let param = |name: &str| challenge.params.get(name).map(String::as_str).unwrap_or_default();
        let escape = |text: &str| text.replace(':', "%3A").replace('/', "%2F").replace(' ', "%20").replace(',', "%2C");
        let query = format!("service={}&scope={}", escape(param("service")), escape(param("scope")));
        let http = reqwest::Client::new();
        let request = match &challenge.offered {
            Some(c) if c.kind == CredentialKind::IdentityToken => http
                .post(param("realm"))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(format!("grant_type=refresh_token&client_id=test&refresh_token={}&{query}", c.secret.reveal())),
            Some(c) => {
                let pair = format!("{}:{}", c.user.as_deref().unwrap_or_default(), c.secret.reveal());
                let basic = format!("Basic {}", STANDARD.encode(pair));
                http.get(format!("{}?{query}", param("realm"))).header("authorization", basic)
            }
            None => http.get(format!("{}?{query}", param("realm"))),
        };
        let answer = request.send().await.map_err(|e| PolicyError::Other(e.to_string()))?;
        if !answer.status().is_success() {
            return Err(PolicyError::Denied("incorrect username or password".into()));
        }
        let body: Value = answer.json().await.map_err(|e| PolicyError::Other(e.to_string()))?;
        let token = body["token"].as_str().or(body["access_token"].as_str()).unwrap_or_default();
        let valid = Duration::from_secs(body["expires_in"].as_u64().unwrap_or(60));
        Ok(Answer::Bearer { token: Secret::new(token), valid })
    }
}
