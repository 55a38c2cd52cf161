//! Web origins: scheme, host and port (RFC 6454), and how they stand to a registry's challenge.

use davit_model::{auth::Challenge, error::PolicyError};
use std::{fmt, str::FromStr};
use url::{Host, Url};

/// Scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    host: Host<String>,
    port: u16,
}

impl Origin {
    /// The origin of a URL; only http and https have one here.
    pub(crate) fn of(url: &Url) -> Result<Self, PolicyError> {
        let known = matches!(url.scheme(), "http" | "https");
        match (url.host(), url.port_or_known_default()) {
            (Some(host), Some(port)) if known => {
                Ok(Self { scheme: url.scheme().to_owned(), host: host.to_owned(), port })
            }
            _ => Err(PolicyError::Invalid("only http and https URLs with a host are spoken to".to_owned())),
        }
    }

    /// Whether the host is this machine, by its number or by the name `localhost` (RFC 6761).
    pub(crate) fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
            Host::Domain(name) => name == "localhost",
        }
    }

    fn may_carry_secrets(&self) -> bool {
        self.scheme == "https" || self.is_loopback()
    }

    /// Whether this is the registry of a challenge, spoken to safely.
    pub(crate) fn is_registry(&self, challenge: &Challenge) -> bool {
        let full = format!("{}:{}", self.host, self.port);
        let default = (self.scheme == "https" && self.port == 443) || (self.scheme == "http" && self.port == 80);
        let named = challenge.registry == full || (default && challenge.registry == self.host.to_string());
        named && self.may_carry_secrets()
    }

    /// Whether this is the origin of the realm that a challenge named, spoken to safely.
    pub(crate) fn is_realm(&self, challenge: &Challenge) -> bool {
        let realm = challenge.params.get("realm").and_then(|r| Url::parse(r).ok());
        realm.and_then(|url| Self::of(&url).ok()).is_some_and(|origin| origin == *self) && self.may_carry_secrets()
    }

    /// Whether a challenge's credential may be sent here.
    pub(crate) fn is_of_challenge(&self, challenge: &Challenge) -> bool {
        self.is_registry(challenge) || self.is_realm(challenge)
    }
}

impl FromStr for Origin {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not an origin such as https://vault.example or https://vault.example:8443");
        let url = Url::parse(text).map_err(|_| bad())?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || text.ends_with('/') || !url.username().is_empty() || url.password().is_some() {
            return Err(bad());
        }
        Self::of(&url).map_err(|_| bad())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match (self.scheme.as_str(), self.port) {
            ("https", 443) | ("http", 80) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use davit_model::{auth::Scheme, id::Caller};

    fn challenge(registry: &str, realm: &str) -> Challenge {
        Challenge {
            registry: registry.to_owned(),
            scheme: Scheme::Bearer,
            params: [("realm".to_owned(), realm.to_owned())].into(),
            repository: None,
            actions: Vec::new(),
            offered: None,
            caller: Caller("uid:0".to_owned()),
            attempt: 1,
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        for bad in ["vault.example", "https://a/b", "https://a/", "https://u@a", "ftp://a", "https://a?x", "unix:///a"]
        {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
        let plain: Origin = "https://Vault.example".parse().unwrap();
        assert_eq!(plain, "https://vault.example:443".parse().unwrap());
        assert_eq!(plain.to_string(), "https://vault.example");
        assert_ne!(plain, "http://vault.example".parse().unwrap());
    }

    #[test]
    fn a_credential_goes_to_the_registry_and_its_realm_only_and_never_in_the_clear() {
        let c = challenge("reg.example:5000", "https://auth.example/token");
        let may = |text: &str| text.parse::<Origin>().unwrap().is_of_challenge(&c);
        assert!(may("https://reg.example:5000") && may("https://auth.example"));
        assert!(!may("http://reg.example:5000") && !may("https://evil.example") && !may("https://reg.example"));
        let plain = challenge("reg.example", "http://auth.example/token");
        assert!(!"http://auth.example".parse::<Origin>().unwrap().is_realm(&plain));
        let local = challenge("127.0.0.1:5000", "http://127.0.0.1:5001/token");
        assert!("http://127.0.0.1:5001".parse::<Origin>().unwrap().is_realm(&local));
    }
}
