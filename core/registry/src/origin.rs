//! Origins (RFC 6454: scheme, host, port), and where plain http is allowed.

use reqwest::Url;
use std::net::IpAddr;

/// `scheme://host[:port]`, with the port left out where it is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Origin(String);

impl Origin {
    /// The origin of a URL.
    pub(crate) fn of(url: &Url) -> Self {
        Self(url.origin().ascii_serialization())
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the host of `url` is this machine: `localhost`, 127.0.0.0/8, `::1`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => bare.eq_ignore_ascii_case("localhost"),
    }
}

/// Whether `url` may be spoken to in plain http: a loopback host, or one that the site listed.
pub(crate) fn may_be_plain(url: &Url, insecure: &[String]) -> bool {
    if is_loopback(url) {
        return true;
    }
    let Some(host) = url.host_str() else { return false };
    let with_port = url.port_or_known_default().map(|p| format!("{host}:{p}"));
    insecure
        .iter()
        .any(|i| i.eq_ignore_ascii_case(host) || with_port.as_ref().is_some_and(|w| i.eq_ignore_ascii_case(w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for yes in ["http://127.0.0.1:5000", "http://127.8.9.1", "http://[::1]:5000", "http://localhost:1"] {
            assert!(is_loopback(&url(yes)), "{yes}");
        }
        for no in ["http://128.0.0.1", "http://localhost.example", "http://127.0.0.1.example", "http://[::2]"] {
            assert!(!is_loopback(&url(no)), "{no}");
        }
    }

    #[test]
    fn a_listed_registry_is_allowed_at_its_port_only() {
        let listed = ["a.example:5000".to_owned()];
        assert!(may_be_plain(&url("http://a.example:5000/x"), &listed));
        assert!(!may_be_plain(&url("http://a.example:5001/x"), &listed));
        assert!(!may_be_plain(&url("http://b.example:5000/x"), &listed));
    }

    #[test]
    fn a_port_is_part_of_the_origin() {
        assert_ne!(Origin::of(&url("http://a:1/")), Origin::of(&url("http://a:2/")));
        assert_eq!(Origin::of(&url("https://a/")), Origin::of(&url("https://A:443/x?y")));
    }
}
