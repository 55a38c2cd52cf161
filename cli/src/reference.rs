//! As much of an image's name as a client needs: which registry's credential to send, and which tag.

use crate::error::{Error, Result};
use davit_model::reference::Reference;

/// Refuses what cannot be an image's name, before anybody is asked for it.
pub(crate) fn check(reference: &str) -> Result<()> {
    reference.parse::<Reference>().map(drop).map_err(|e| Error::usage(e.to_string()))
}

/// The registry behind short names, as credential files and people call it.
pub(crate) const HUB: &str = "docker.io";

/// The `host[:port]` that a reference lives at.
pub(crate) fn registry(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => HUB,
    }
}

/// A reference taken apart: name, and tag or digest where it has one.
pub(crate) fn split(reference: &str) -> (&str, Option<&str>) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (name, Some(digest));
    }
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (reference, None),
    }
}

/// The reference with `latest` where it has neither tag nor digest.
pub(crate) fn with_tag(reference: &str) -> String {
    match split(reference) {
        (_, Some(_)) => reference.to_owned(),
        (name, None) => format!("{name}:latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_the_first_part_only_where_it_looks_like_a_host() {
        for (reference, host) in [
            ("busybox", "docker.io"),
            ("library/busybox", "docker.io"),
            ("localhost/x", "localhost"),
            ("127.0.0.1:5000/demo/x:1", "127.0.0.1:5000"),
            ("quay.example/x@sha256:00", "quay.example"),
        ] {
            assert_eq!(registry(reference), host, "{reference}");
        }
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(split("127.0.0.1:5000/x"), ("127.0.0.1:5000/x", None));
        assert_eq!(split("127.0.0.1:5000/x:1"), ("127.0.0.1:5000/x", Some("1")));
        assert_eq!(split("x@sha256:00"), ("x", Some("sha256:00")));
        assert_eq!(with_tag("127.0.0.1:5000/x"), "127.0.0.1:5000/x:latest");
    }
}
