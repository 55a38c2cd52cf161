//! What a manifest needs, and in the same words what a grant gives. Every entry is written in one way, so that equal rights
//! are equal texts.

use crate::scope::{Field, Http, Mirror, Name, NamedSecret, Scope};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a manifest needs, and in the same words what a grant gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Ask {
    /// Origins to speak to, `https://vault.example`, with the methods before them where it is not all of them,
    /// `GET,POST https://vault.example`; `registry` and `realm` are symbolic.
    pub http: BTreeSet<String>,
    /// Names of the site's secrets, `vault-token`, with the origin behind them where they go to no other,
    /// `vault-token https://vault.example`.
    pub secrets: BTreeSet<String>,
    /// Names of the site's secrets that containers may be given as files.
    pub secret_files: BTreeSet<String>,
    /// Durable keys and values.
    pub state: bool,
    /// Credentials that are kept at the daemon.
    pub credentials: bool,
    /// JSON pointers into requests that may be adjusted; `*` stands for one segment.
    pub adjust: BTreeSet<String>,
    /// Origins that may serve instead of a registry.
    pub mirrors: BTreeSet<String>,
    /// Interfaces of the host that networks may be made on.
    pub interfaces: BTreeSet<String>,
    /// Containers in the host's own network namespace.
    pub host_network: bool,
    /// Link-local addresses may be spoken to.
    pub link_local: bool,
}

impl Ask {
    /// As a manifest may need it: every entry can be read, and is written as entries are.
    ///
    /// # Errors
    /// The entry that cannot be read.
    pub(crate) fn into_needs(self) -> Result<Self, String> {
        Ok(Self {
            http: written::<Http>("http", &self.http)?,
            secrets: written::<NamedSecret>("secrets", &self.secrets)?,
            secret_files: written::<Name>("secret-files", &self.secret_files)?,
            adjust: written::<Field>("adjust", &self.adjust)?,
            mirrors: written::<Mirror>("mirrors", &self.mirrors)?,
            interfaces: written::<Name>("interfaces", &self.interfaces)?,
            ..self
        })
    }

    /// As it can be granted: as for needs, and everything has a name.
    ///
    /// # Errors
    /// The entry that cannot be read, or has no name.
    pub(crate) fn into_grant(self) -> Result<Self, String> {
        let read = self.into_needs()?;
        let named = read.named();
        for (key, all, names) in [
            ("http", &read.http, &named.http),
            ("secrets", &read.secrets, &named.secrets),
            ("secret-files", &read.secret_files, &named.secret_files),
            ("mirrors", &read.mirrors, &named.mirrors),
            ("interfaces", &read.interfaces, &named.interfaces),
        ] {
            if let Some(nameless) = all.difference(names).next() {
                return Err(format!("{key}: a grant names what it is for, instead of {nameless:?}"));
            }
        }
        Ok(read)
    }

    /// Without what is left to the site to name: what can be granted as it stands.
    pub(crate) fn named(&self) -> Self {
        Self {
            http: named::<Http>(&self.http),
            secrets: named::<NamedSecret>(&self.secrets),
            secret_files: named::<Name>(&self.secret_files),
            mirrors: named::<Mirror>(&self.mirrors),
            interfaces: named::<Name>(&self.interfaces),
            ..self.clone()
        }
    }

    /// What is needed here and granted there: of each pair the narrower, where one is part of the other.
    pub(crate) fn common(&self, grant: &Self) -> Self {
        Self {
            http: common::<Http>(&self.http, &grant.http),
            secrets: common::<NamedSecret>(&self.secrets, &grant.secrets),
            secret_files: common::<Name>(&self.secret_files, &grant.secret_files),
            state: self.state && grant.state,
            credentials: self.credentials && grant.credentials,
            adjust: common::<Field>(&self.adjust, &grant.adjust),
            mirrors: common::<Mirror>(&self.mirrors, &grant.mirrors),
            interfaces: common::<Name>(&self.interfaces, &grant.interfaces),
            host_network: self.host_network && grant.host_network,
            link_local: self.link_local && grant.link_local,
        }
    }

    /// What of this those do not cover, all together.
    pub(crate) fn beyond(&self, those: &[&Self]) -> Self {
        let all = |of: fn(&Self) -> &BTreeSet<String>| those.iter().copied().flat_map(of).cloned().collect();
        let any = |of: fn(&Self) -> bool| those.iter().copied().any(of);
        Self {
            http: beyond::<Http>(&self.http, &all(|a| &a.http)),
            secrets: beyond::<NamedSecret>(&self.secrets, &all(|a| &a.secrets)),
            secret_files: beyond::<Name>(&self.secret_files, &all(|a| &a.secret_files)),
            state: self.state && !any(|a| a.state),
            credentials: self.credentials && !any(|a| a.credentials),
            adjust: beyond::<Field>(&self.adjust, &all(|a| &a.adjust)),
            mirrors: beyond::<Mirror>(&self.mirrors, &all(|a| &a.mirrors)),
            interfaces: beyond::<Name>(&self.interfaces, &all(|a| &a.interfaces)),
            host_network: self.host_network && !any(|a| a.host_network),
            link_local: self.link_local && !any(|a| a.link_local),
        }
    }

    /// Whether nothing is asked for.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Those of a set that can be read: all, once it was checked.
pub(crate) fn read<S: Scope>(set: &BTreeSet<String>) -> Vec<S> {
    set.iter().filter_map(|text| text.parse().ok()).collect()
}

fn written<S: Scope>(key: &str, set: &BTreeSet<String>) -> Result<BTreeSet<String>, String> {
    let written = |text: &String| text.parse::<S>().map(|scope| scope.to_string());
    set.iter().map(written).collect::<Result<_, _>>().map_err(|e| format!("{key}: {e}"))
}

fn named<S: Scope>(set: &BTreeSet<String>) -> BTreeSet<String> {
    read::<S>(set).iter().filter(|scope| !scope.is_sites_own()).map(S::to_string).collect()
}

fn common<S: Scope>(needs: &BTreeSet<String>, granted: &BTreeSet<String>) -> BTreeSet<String> {
    let granted = read::<S>(granted);
    let pairs = read::<S>(needs).into_iter().flat_map(|need| granted.iter().filter_map(move |one| need.common(one)));
    let mut both: Vec<S> = Vec::new();
    for pair in pairs {
        // What is part of another says nothing more.
        if !pair.is_within(&both) {
            both.retain(|one| !one.is_within(std::slice::from_ref(&pair)));
            both.push(pair);
        }
    }
    both.iter().map(S::to_string).collect()
}

fn beyond<S: Scope>(set: &BTreeSet<String>, those: &BTreeSet<String>) -> BTreeSet<String> {
    let those = read::<S>(those);
    read::<S>(set).iter().filter(|scope| !scope.is_within(&those)).map(S::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(items: &[&str]) -> BTreeSet<String> {
        items.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn what_only_the_site_can_name_is_needed_by_a_star_and_granted_by_name() {
        for nameless in ["*", "GET *"] {
            let needs = Ask { http: texts(&[nameless]), ..Ask::default() }.into_needs().unwrap();
            assert!(needs.named().is_nothing(), "nothing of it can be granted as it stands");
            assert!(needs.into_grant().unwrap_err().contains("names what it is for"), "a grant has no star");
        }
        let secrets = Ask { secrets: texts(&["* https://a.example"]), ..Ask::default() }.into_needs().unwrap();
        assert!(secrets.named().is_nothing() && secrets.into_grant().is_err());
    }

    #[test]
    fn a_secret_reaches_a_container_by_its_own_right_alone() {
        for way in ["/secret_files/*", "/secret_files/~1run~1key", "/secret_files", "/*", "/*/*"] {
            assert!(Ask { adjust: texts(&[way]), ..Ask::default() }.into_needs().is_err(), "{way}");
        }
    }

    #[test]
    fn what_is_part_of_another_right_is_not_said_twice() {
        let needs = Ask { adjust: texts(&["/labels/*", "/labels/team"]), ..Ask::default() };
        assert_eq!(needs.common(&needs).adjust, texts(&["/labels/*"]));
        let http = Ask { http: texts(&["GET realm", "GET,POST realm", "PUT realm"]), ..Ask::default() };
        assert_eq!(http.common(&http).http, texts(&["GET,POST realm", "PUT realm"]));
    }
}
