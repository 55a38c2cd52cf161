//! Turns what the HTTP client and the registry's error bodies say into [`ErrorKind`].

use crate::{ErrorKind, origin::Origin};
use serde::Deserialize;
use std::{error::Error as StdError, io};

/// Why a request or a body failed on the way.
pub(crate) fn transport(origin: &Origin, error: &reqwest::Error, connect_after: std::time::Duration) -> ErrorKind {
    let address = origin.as_str().to_owned();
    let why = deepest(error);
    if tls_inside(error) {
        return ErrorKind::Tls { address, why };
    }
    if error.is_timeout() {
        return ErrorKind::Timeout { address, wanted: "accept a connection", after: connect_after };
    }
    if error.is_connect() {
        return ErrorKind::Down { address, why };
    }
    ErrorKind::Broken { address, why }
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |e: &&'a (dyn StdError + 'static)| (*e).source())
}

/// Whether a TLS error is in the chain, also where an `io::Error` wraps it.
fn tls_inside(error: &(dyn StdError + 'static)) -> bool {
    tls_error(error).is_some()
}

fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    chain(error).find_map(|mut e| {
        // An `io::Error` hides what it wraps from `source`, and may wrap another one.
        while let Some(inner) = e.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            e = inner;
        }
        e.downcast_ref()
    })
}

/// Whether the other side speaks TLS, with a certificate that is not trusted.
pub(crate) fn bad_certificate(error: &reqwest::Error) -> bool {
    matches!(tls_error(error), Some(rustls::Error::InvalidCertificate(_)))
}

/// Whether nothing took the connection: refused, unreachable, or the name is unknown.
pub(crate) fn never_connected(error: &reqwest::Error) -> bool {
    use io::ErrorKind as Io;
    let refused = chain(error).filter_map(|e| e.downcast_ref::<io::Error>()).any(|e| {
        matches!(e.kind(), Io::ConnectionRefused | Io::HostUnreachable | Io::NetworkUnreachable | Io::AddrNotAvailable)
    });
    refused || chain(error).any(|e| e.to_string().contains("dns error"))
}

fn deepest(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default().to_lowercase()
}

/// The body of a failed answer (distribution-spec, "Error Codes").
#[derive(Deserialize)]
struct Body {
    errors: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// A failed answer's first error: its code and message; empty where the body is something else.
pub(crate) fn first_error(body: &[u8]) -> (String, String) {
    let entry = serde_json::from_slice::<Body>(body).ok().and_then(|b| b.errors.into_iter().next());
    entry.map(|e| (printable(&e.code), printable(&e.message))).unwrap_or_default()
}

/// A registry's text is shown to people: no control letters, not without end.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Why an answer that is no success is none. `what` names what a 404 is about: `manifest`, `blob`, `repository`.
pub(crate) fn status(status: u16, body: &[u8], what: &str) -> ErrorKind {
    let (code, message) = first_error(body);
    let or = |default: &str| if message.is_empty() { default.to_owned() } else { message.clone() };
    match status {
        401 => ErrorKind::Unauthorized(or("authentication required")),
        403 => ErrorKind::Denied(or("requested access to the resource is denied")),
        404 => ErrorKind::NotFound(match code.as_str() {
            "MANIFEST_UNKNOWN" => "manifest unknown".to_owned(),
            "BLOB_UNKNOWN" => "blob unknown to registry".to_owned(),
            "NAME_UNKNOWN" => "repository name not known to registry".to_owned(),
            _ => format!("{what} unknown"),
        }),
        _ => {
            let name = reqwest::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
            ErrorKind::Status { status, message: or(name.unwrap_or("an unknown status")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registrys_own_words_are_kept_and_cleaned() {
        let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication\u001b[2J required"}]}"#;
        assert_eq!(status(401, body, "manifest").to_string(), "unauthorized: authentication[2J required");
        assert_eq!(status(404, b"<html>", "manifest").to_string(), "manifest unknown");
        assert_eq!(status(503, b"", "blob").to_string(), "the registry answered 503: Service Unavailable");
    }
}
