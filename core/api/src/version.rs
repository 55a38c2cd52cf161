//! Versions of the API: the prefix of a path, what is accepted, and what handlers ask about it.

use crate::failure::ApiError;
use axum::{extract::FromRequestParts, http::request::Parts};
use davit_api_types::{API_VERSION, MIN_API_VERSION};
use std::{convert::Infallible, fmt};

/// A version of the API: major, then minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ApiVersion(u16, u16);

impl ApiVersion {
    /// From this version on, streams without a terminal say so in their content type.
    pub(crate) const MULTIPLEXED: Self = Self(1, 42);

    /// The newest version: what a path without a prefix gets.
    pub(crate) fn newest() -> Self {
        Self::parse(API_VERSION).unwrap_or(Self(1, 51))
    }

    fn oldest() -> Self {
        Self::parse(MIN_API_VERSION).unwrap_or(Self(1, 24))
    }

    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self(number(major)?, number(minor)?))
    }
}

fn number(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Takes `/vN.N` off a path. A path without it is of the newest version.
pub(crate) fn split(path: &str) -> Result<(ApiVersion, &str), ApiError> {
    let Some(rest) = path.strip_prefix("/v") else { return Ok((ApiVersion::newest(), path)) };
    let (text, rest) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let Some(version) = ApiVersion::parse(text) else { return Ok((ApiVersion::newest(), path)) };
    if version > ApiVersion::newest() {
        return Err(ApiError::invalid(format!(
            "client version {version} is too new. Maximum supported API version is {API_VERSION}"
        )));
    }
    if version < ApiVersion::oldest() {
        return Err(ApiError::invalid(format!(
            "client version {version} is too old. Minimum supported API version is {MIN_API_VERSION}, \
             please upgrade your client to a newer version"
        )));
    }
    Ok((version, rest))
}

impl<S: Sync> FromRequestParts<S> for ApiVersion {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or_else(Self::newest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_taken_off() {
        assert_eq!(split("/v1.41/containers/json").unwrap(), (ApiVersion(1, 41), "/containers/json"));
        assert_eq!(split("/containers/json").unwrap(), (ApiVersion::newest(), "/containers/json"));
        assert_eq!(split("/version").unwrap(), (ApiVersion::newest(), "/version"));
        assert_eq!(split("/volumes/v1.2").unwrap().1, "/volumes/v1.2");
    }

    #[test]
    fn versions_out_of_range_are_refused_in_dockers_words() {
        let too_new = split("/v1.99/info").unwrap_err().to_string();
        assert_eq!(too_new, "client version 1.99 is too new. Maximum supported API version is 1.51");
        let too_old = split("/v1.9/info").unwrap_err().to_string();
        assert!(too_old.starts_with("client version 1.9 is too old. Minimum supported API version is 1.24"));
    }
}
