//! Origins of URLs, as far as a test needs them: scheme, host and port.

use super::types::Error;

/// `https://host[:port]` of a URL, without the scheme's own port.
pub(super) fn of(url: &str) -> Result<String, Error> {
    let invalid = |why: &str| Error::Invalid(format!("the URL {url:?} cannot be read: {why}"));
    let (scheme, rest) = url.split_once("://").ok_or_else(|| invalid("it is relative"))?;
    let scheme = scheme.to_ascii_lowercase();
    let own = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return Err(invalid("it is neither http nor https")),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    if authority.contains('@') {
        return Err(Error::Invalid("a URL must not hold user info".to_owned()));
    }
    let authority = authority.strip_suffix(own).unwrap_or(&authority);
    if authority.is_empty() {
        return Err(invalid("it names no host"));
    }
    Ok(format!("{scheme}://{authority}"))
}

/// Whether an origin is a registry's, `host[:port]`.
pub(super) fn is_registry(origin: &str, registry: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, authority)| authority == registry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (url, wanted) in [
            ("https://A.example/token?x=1", "https://a.example"),
            ("https://a.example:443", "https://a.example"),
            ("http://a.example:5000/", "http://a.example:5000"),
            ("http://a.example?x", "http://a.example"),
        ] {
            assert_eq!(of(url), Ok(wanted.to_owned()));
        }
        for bad in ["/token", "ftp://a", "https://u:p@a", "https:///x"] {
            assert!(matches!(of(bad), Err(Error::Invalid(_))), "{bad}");
        }
        assert!(is_registry("https://r.example:5000", "r.example:5000") && !is_registry("https://r.example", "r"));
    }
}
