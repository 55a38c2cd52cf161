//! Image references, as Docker reads them: `[registry/]repository[:tag][@digest]`
//! (distribution/reference: grammar; moby: familiar names).

use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The registry behind short names.
pub const DEFAULT_REGISTRY: &str = "docker.io";
/// The tag of a reference that has neither tag nor digest.
pub const DEFAULT_TAG: &str = "latest";

/// A reference in full: registry and repository always there; a tag, a digest, or both.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not a reference. Says what Docker says first: `invalid reference format`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid reference format: {text:?}: {why}")]
pub struct ReferenceError {
    text: String,
    why: &'static str,
}

impl Reference {
    /// `host[:port]`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository's path at the registry; for short names with `library/` in front.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `latest` was filled in where the text had neither tag nor digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What to ask the registry for: the digest, else the tag.
    pub fn manifest_key(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(d), _) => d.to_string(),
            (None, Some(t)) => t.clone(),
            (None, None) => DEFAULT_TAG.to_owned(),
        }
    }

    /// The same repository at a digest, without a tag.
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), tag: None, ..self.clone() }
    }

    /// The same repository at another tag, without a digest.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ReferenceError> {
        if !is_tag(tag) {
            return Err(ReferenceError { text: tag.to_owned(), why: "the tag has letters that are not allowed" });
        }
        Ok(Self { digest: None, tag: Some(tag.to_owned()), ..self.clone() })
    }

    /// The repository as people write it: without `docker.io/`, and without the `library/` of a name of one part. Of a longer
    /// one it is kept: without, it would be another repository.
    pub fn familiar_name(&self) -> String {
        if self.registry == DEFAULT_REGISTRY {
            let short = self.repository.strip_prefix("library/").filter(|name| !name.contains('/'));
            short.unwrap_or(&self.repository).to_owned()
        } else {
            format!("{}/{}", self.registry, self.repository)
        }
    }

    /// The reference as people write it, e.g. `busybox:1.36`.
    pub fn familiar(&self) -> String {
        let mut text = self.familiar_name();
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(&digest.to_string());
        }
        text
    }
}

fn is_tag(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    first && text.len() <= 128 && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn is_path_component(text: &str) -> bool {
    // Alphanumerics, joined by one '.', one or two '_', or any number of '-'.
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(alphanumeric) && bytes.last().is_some_and(alphanumeric);
    fn alphanumeric(b: &u8) -> bool {
        b.is_ascii_digit() || b.is_ascii_lowercase()
    }
    let separators = text.split(|c: char| c.is_ascii_digit() || c.is_ascii_lowercase()).filter(|s| !s.is_empty());
    ends && separators.into_iter().all(|s| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((v6, "")) => return v6.parse::<std::net::Ipv6Addr>().is_ok(),
            Some((v6, port)) => {
                let port = port.strip_prefix(':').unwrap_or("x");
                return v6.parse::<std::net::Ipv6Addr>().is_ok() && port.parse::<u16>().is_ok();
            }
            None => return false,
        },
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let label = |l: &str| {
        let inner = l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        !l.is_empty() && inner && !l.starts_with('-') && !l.ends_with('-')
    };
    host.split('.').all(label) && port.is_none_or(|p| p.parse::<u16>().is_ok())
}

impl FromStr for Reference {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let fail = |why| ReferenceError { text: text.chars().take(300).collect(), why };
        let (rest, digest) = match text.split_once('@') {
            Some((_, "")) => return Err(fail("the digest is empty: leave out the @, or name one")),
            Some((rest, d)) => (rest, Some(d.parse().map_err(|_| fail("what follows the @ is not a digest"))?)),
            None => (text, None),
        };
        let (registry, path) = match rest.split_once('/') {
            Some((first, path)) if first.contains(['.', ':']) || first == "localhost" || first.starts_with('[') => {
                (first.to_owned(), path.to_owned())
            }
            _ => (DEFAULT_REGISTRY.to_owned(), rest.to_owned()),
        };
        if !is_registry(&registry) {
            return Err(fail("the registry is not a host name with an optional port"));
        }
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY.to_owned() } else { registry };
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path.to_owned(), Some(tag.to_owned())),
            _ => (path, None),
        };
        match tag.as_deref() {
            Some("") => return Err(fail("the tag is empty: leave out the colon, or name one")),
            Some(tag) if !is_tag(tag) => return Err(fail("the tag has letters that are not allowed")),
            _ => {}
        }
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(fail("repository name must be lowercase"));
        }
        if path.split('/').any(str::is_empty) {
            return Err(fail("the repository name, or a part of it, is empty"));
        }
        if !path.split('/').all(is_path_component) {
            return Err(fail("the repository name is not made of lowercase letters, digits and separators"));
        }
        if registry.len() + path.len() + 1 > 255 {
            return Err(fail("the repository name is longer than 255 letters"));
        }
        let repository =
            if registry == DEFAULT_REGISTRY && !path.contains('/') { format!("library/{path}") } else { path };
        let tag = if tag.is_none() && digest.is_none() { Some(DEFAULT_TAG.to_owned()) } else { tag };
        Ok(Self { registry, repository, tag, digest })
    }
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;
    fn try_from(text: String) -> Result<Self, ReferenceError> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(r: Reference) -> Self {
        r.to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_filled_in_as_docker_does() {
        let cases = [
            ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
            ("a/b:1", "docker.io/a/b:1", "a/b:1"),
            ("localhost/a", "localhost/a:latest", "localhost/a:latest"),
            ("127.0.0.1:5000/x/y__z:v1", "127.0.0.1:5000/x/y__z:v1", "127.0.0.1:5000/x/y__z:v1"),
            ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
            ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
            ("index.docker.io/library/a", "docker.io/library/a:latest", "a:latest"),
        ];
        for (text, full, familiar) in cases {
            let r: Reference = text.parse().unwrap();
            assert_eq!(r.to_string(), full);
            assert_eq!(r.familiar(), familiar);
            assert_eq!(full.parse::<Reference>().unwrap(), r, "reads back");
        }
    }

    #[test]
    fn a_digest_needs_no_tag() {
        let text = format!("a.example/b@sha256:{}", "0".repeat(64));
        let r: Reference = text.parse().unwrap();
        assert_eq!((r.tag(), r.digest().is_some()), (None, true));
    }

    #[test]
    fn malformed_references_say_why() {
        for bad in ["", ":", "A", "a b", "a:", "a:b:c", "a/../b", "-a", "a@sha256:1", "a..b", "a/", "/a", "x.y:99999/a"]
        {
            let e = bad.parse::<Reference>().expect_err(bad);
            assert!(e.to_string().starts_with("invalid reference format"), "{e}");
        }
        for (bad, why) in [
            ("", "is empty"),
            (":x", "is empty"),
            ("x/", "is empty"),
            ("bb:", "the tag is empty"),
            ("bb@", "the digest is empty"),
            ("UPPER", "repository name must be lowercase"),
            ("x:y:z", "not made of lowercase letters"),
        ] {
            let e = bad.parse::<Reference>().expect_err(bad).to_string();
            assert!(e.contains(why), "{e}");
        }
    }
}
