//! What handlers take out of a request: parameters, a JSON body, who asks, the credential for a registry.

use crate::{failure::ApiError, filters::Filters, server::Peer};
use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, FromRequestParts},
    http::{Request, request::Parts},
};
use davit_api_types::auth::{HEADER, RegistryAuth};
use davit_engine::StopOptions;
use davit_model::{
    auth::{Credential, CredentialKind},
    id,
    secret::Secret,
};
use serde::de::DeserializeOwned;

/// Bytes of a JSON body at most.
const MAX_JSON: usize = 4 * 1024 * 1024;

/// The parameters behind `?`, as Go's clients write them.
#[derive(Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let read = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        read.map(|q| Self(q.0)).map_err(|e| ApiError::invalid(format!("invalid parameters: {e}")))
    }
}

impl Params {
    /// A parameter that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// All values of a parameter that may stand several times.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    /// A parameter that says yes or no; absent is no.
    pub(crate) fn flag(&self, name: &str) -> bool {
        let value = self.get(name).unwrap_or("").trim().to_ascii_lowercase();
        !matches!(value.as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// A number.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let bad = |v: &str| ApiError::invalid(format!("invalid value for {name}: {v:?} is not a number that fits"));
        self.get(name).map(|v| v.parse().map_err(|_| bad(v))).transpose()
    }

    /// The filters.
    pub(crate) fn filters(&self) -> Result<Filters, ApiError> {
        Filters::parse(self.get("filters"))
    }
}

/// A JSON body, whatever its content type says; none is `{}`.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, _state: &S) -> Result<Self, ApiError> {
        let bytes = to_bytes(request.into_body(), MAX_JSON).await;
        let bytes = bytes.map_err(|e| ApiError::invalid(format!("reading the request's body: {e}")))?;
        let text = if bytes.trim_ascii().is_empty() { &b"{}"[..] } else { &bytes };
        serde_json::from_slice(text).map(Self).map_err(|e| ApiError::invalid(format!("invalid JSON: {e}")))
    }
}

/// Who asks.
pub(crate) struct Caller(pub(crate) id::Caller);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<Peer>();
        peer.map(|p| Self(p.caller.clone()))
            .ok_or_else(|| ApiError::new(axum::http::StatusCode::FORBIDDEN, "the caller is not known"))
    }
}

/// How a container is to be stopped.
pub(crate) struct Stopping(pub(crate) StopOptions);

impl<S: Sync> FromRequestParts<S> for Stopping {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = Params::from_request_parts(parts, state).await?;
        let signal = params.get("signal").map(str::to_owned);
        Ok(Self(StopOptions { timeout: params.number("t")?, signal }))
    }
}

/// The credential that came with a request, not yet bound to a registry.
pub(crate) struct Offered(RegistryAuth);

impl<S: Sync> FromRequestParts<S> for Offered {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(HEADER) else { return Ok(Self(RegistryAuth::default())) };
        let text = value.to_str().map_err(|_| ApiError::invalid("invalid X-Registry-Auth header"))?;
        RegistryAuth::decode(text).map(Self).map_err(|e| ApiError::invalid(e.to_string()))
    }
}

impl Offered {
    /// The credential for `server`; none where the client is anonymous.
    pub(crate) fn for_server(self, server: &str) -> Option<Credential> {
        credential(self.0, server)
    }
}

/// A credential in the model's words, bound to `server`.
pub(crate) fn credential(auth: RegistryAuth, server: &str) -> Option<Credential> {
    let (kind, secret) = if !auth.identitytoken.is_empty() {
        (CredentialKind::IdentityToken, auth.identitytoken)
    } else if !auth.registrytoken.is_empty() {
        (CredentialKind::RegistryToken, auth.registrytoken)
    } else if !auth.username.is_empty() {
        (CredentialKind::Password, auth.password)
    } else {
        return None;
    };
    let user = Some(auth.username).filter(|u| !u.is_empty());
    Some(Credential { server: server.to_owned(), user, kind, secret: Secret::new(secret) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_as_docker_reads_them() {
        let params = |v: &str| Params(vec![("all".to_owned(), v.to_owned())]);
        for (value, want) in [("1", true), ("true", true), ("True", true), ("", false), ("0", false), ("no", false)] {
            assert_eq!(params(value).flag("all"), want, "{value}");
        }
        assert!(params("x").number::<u16>("all").is_err());
        assert_eq!(params("7").number::<u16>("all"), Ok(Some(7)));
    }

    #[test]
    fn a_token_goes_before_a_password_and_nothing_is_anonymous() {
        let auth = RegistryAuth { username: "u".into(), password: "p".into(), ..RegistryAuth::default() };
        assert_eq!(credential(auth.clone(), "r").unwrap().kind, CredentialKind::Password);
        let token = RegistryAuth { identitytoken: "t".into(), ..auth };
        let read = credential(token, "r").unwrap();
        assert_eq!((read.kind, read.secret.reveal(), read.server.as_str()), (CredentialKind::IdentityToken, "t", "r"));
        assert_eq!(credential(RegistryAuth::default(), "r"), None);
    }
}
