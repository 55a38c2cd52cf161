//! As much of an image's name as a client needs: which registry's credential to send, and which tag.

use crate::error::{Error, Result};

/// Refuses what anybody sees to be no image's name, before one is asked for it: the daemon knows the whole grammar.
pub(crate) fn check(reference: &str) -> Result<()> {
    let (name, rest) = split(reference);
    let path = name.strip_prefix(registry(name)).and_then(|path| path.strip_prefix('/')).unwrap_or(name);
    let why = if rest == Some("") {
        let (what, sign) = if reference.ends_with('@') { ("digest", "@") } else { ("tag", "colon") };
        format!("the {what} is empty: leave out the {sign}, or name one")
    } else if path.bytes().any(|b| b.is_ascii_uppercase()) {
        "repository name must be lowercase".to_owned()
    } else if path.split('/').any(str::is_empty) {
        "the repository name, or a part of it, is empty".to_owned()
    } else if path.bytes().any(|b| !matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/')) {
        "the repository name is not made of lowercase letters, digits and separators".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::usage(format!("invalid reference format: {reference:?}: {why}")))
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
    fn what_is_no_name_is_refused_and_what_may_be_one_is_not() {
        for (reference, why) in [
            ("bb:", "the tag is empty"),
            ("127.0.0.1:5000/bb:", "the tag is empty"),
            ("bb@", "the digest is empty"),
            ("", "is empty"),
            (":x", "is empty"),
            ("x/", "is empty"),
            ("a//b", "is empty"),
            ("UPPER", "must be lowercase"),
            ("x:y:z", "is not made of"),
            ("a b", "is not made of"),
        ] {
            assert!(check(reference).unwrap_err().to_string().contains(why), "{reference}");
        }
        let digest = format!("x@sha256:{}", "0".repeat(64));
        for reference in ["x", "x:Tag_1", "a/b/c", "HOST.example:5000/x", "localhost/x", "[::1]:5000/x:1", &digest] {
            check(reference).unwrap();
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
