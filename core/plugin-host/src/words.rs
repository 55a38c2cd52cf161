//! Rights in words: `http https://vault.example`, `state`. One right, one line, the same in lists, in questions to an
//! operator and in grants that are kept.

use crate::{
    ask::Ask,
    manifest::Manifest,
    scope::{Http, Name, NamedSecret, Scope, To},
};
use std::collections::BTreeSet;

/// A right in words, with what it means and why it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The right.
    pub right: String,
    /// What the plugin may do with it.
    pub means: String,
    /// The manifest's own sentence; empty where it has none.
    pub why: String,
}

/// The keys whose rights have a parameter, each with its set.
fn sets(ask: &mut Ask) -> [(&'static str, &mut BTreeSet<String>); 6] {
    [
        ("http", &mut ask.http),
        ("secret", &mut ask.secrets),
        ("secret-file", &mut ask.secret_files),
        ("adjust", &mut ask.adjust),
        ("mirror", &mut ask.mirrors),
        ("interface", &mut ask.interfaces),
    ]
}

/// Those that stand alone.
fn flags(ask: &mut Ask) -> [(&'static str, &mut bool); 4] {
    [
        ("state", &mut ask.state),
        ("credentials", &mut ask.credentials),
        ("host-network", &mut ask.host_network),
        ("link-local", &mut ask.link_local),
    ]
}

impl Ask {
    /// Each right in words.
    pub fn in_words(&self) -> Vec<String> {
        let mut own = self.clone();
        let mut words = Vec::new();
        for (key, set) in sets(&mut own) {
            words.extend(set.iter().map(|item| format!("{key} {item}")));
        }
        words.extend(flags(&mut own).into_iter().filter(|(_, given)| **given).map(|(key, _)| key.to_owned()));
        words
    }

    /// The rights that these words grant.
    ///
    /// # Errors
    /// The word that is no right, or names nothing.
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        Self::said(words)?.into_grant()
    }

    /// The rights that these words ask for: some may be the site's to name.
    ///
    /// # Errors
    /// The word that is no right.
    pub(crate) fn needs_from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        Self::said(words)?.into_needs()
    }

    fn said<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut ask = Self::default();
        for word in words {
            let known = match word.split_once(' ') {
                Some((key, item)) => {
                    let set = sets(&mut ask).into_iter().find(|(k, _)| *k == key);
                    set.map(|(_, set)| set.insert(item.trim().to_owned())).is_some()
                }
                None => {
                    let flag = flags(&mut ask).into_iter().find(|(k, _)| *k == word);
                    flag.map(|(_, flag)| *flag = true).is_some()
                }
            };
            if !known {
                return Err(format!(
                    "{word:?} is no right; rights are written like \"http https://host\" or \"state\""
                ));
            }
        }
        Ok(ask)
    }
}

impl Manifest {
    /// All that the manifest asks for, explained.
    pub fn explained(&self) -> Vec<Explained> {
        let explain = |right: String| {
            let why = self.why_of(&right).unwrap_or_default().to_owned();
            Explained { means: means(&right), why, right }
        };
        self.needs.in_words().into_iter().map(explain).collect()
    }

    /// The manifest's sentence for a right in words; its keys are plural where there can be several.
    pub fn why_of(&self, right: &str) -> Option<&str> {
        let why = self.why.iter().find(|(need, _)| is_why_of(need, right))?.1.trim();
        (!why.is_empty()).then_some(why)
    }
}

/// Whether a key of `[why]` is about a right in words.
pub(crate) fn is_why_of(need: &str, right: &str) -> bool {
    let key = key(right);
    need == key || need.strip_suffix('s') == Some(key)
}

/// What kind of right a word is about.
pub fn key(right: &str) -> &str {
    right.split(' ').next().unwrap_or_default()
}

/// What a plugin may do with a right.
fn means(right: &str) -> String {
    let item = right.split_once(' ').map_or("", |(_, item)| item);
    let sites_own = |item: &str| item.parse::<Name>().is_ok_and(|name| name.is_sites_own());
    match (key(right), item) {
        ("http", item) => item.parse().map_or_else(|_| right.to_owned(), |http| means_http(&http)),
        ("secret", item) => item.parse().map_or_else(|_| right.to_owned(), |secret| means_secret(&secret)),
        ("mirror", item) if sites_own(item) => {
            "have images fetched from the origins that you name instead of their registry".to_owned()
        }
        ("interface", item) if sites_own(item) => "make networks on the host's interfaces that you name".to_owned(),
        ("secret-file", item) if sites_own(item) => {
            "give containers the site's secrets that you name, as files".to_owned()
        }
        ("secret-file", name) => format!("give containers the site's secret {name:?}, as a file"),
        ("adjust", pointer) => format!("change {pointer} of what users ask for"),
        ("mirror", origin) => format!("have images fetched from {origin} instead of their registry"),
        ("interface", name) => format!("make networks on the host's interface {name}"),
        ("state", _) => "remember up to 16 MiB of its own".to_owned(),
        ("credentials", _) => "use the credentials that are kept at the daemon".to_owned(),
        ("host-network", _) => "put containers into the host's own network".to_owned(),
        ("link-local", _) => "speak to link-local addresses, where clouds keep their keys".to_owned(),
        (_, _) => right.to_owned(),
    }
}

fn means_http(right: &Http) -> String {
    let to = match right.to() {
        To::SitesOwn => "the origins that you name".to_owned(),
        To::Registry => "the registry that is being asked".to_owned(),
        To::Realm => "the token server that the registry names".to_owned(),
        To::Origin(origin) => origin.to_string(),
    };
    match right.methods() {
        None => format!("speak to {to}"),
        Some(methods) => {
            let methods: Vec<&str> = methods.iter().map(String::as_str).collect();
            format!("send {} requests to {to}", methods.join(" and "))
        }
    }
}

fn means_secret(right: &NamedSecret) -> String {
    let what = match right.name() {
        None => "the site's secrets that you name".to_owned(),
        Some(name) => format!("the site's secret {name:?}"),
    };
    let towards = right.towards().map_or_else(String::new, |origin| format!(" towards {origin}"));
    let seen = if right.name().is_none() { "them" } else { "it" };
    format!("use {what}{towards}, without seeing {seen}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_survive_their_words() {
        let words = [
            "http https://a.example",
            "http GET,POST realm",
            "secret key",
            "secret key https://a.example",
            "adjust /labels/*",
            "state",
            "link-local",
        ];
        let ask = Ask::from_words(words).unwrap();
        assert!(ask.state && ask.link_local && !ask.credentials);
        assert_eq!(ask.in_words().iter().map(String::as_str).collect::<BTreeSet<_>>(), words.into());
        for wrong in [
            "",
            "http",
            "stat",
            "state yes",
            "http *",
            "http GET *",
            "adjust labels",
            "file /etc",
            "secret * https://a",
        ] {
            assert!(Ask::from_words([wrong]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_a_right_means_says_methods_and_where_a_secret_goes() {
        for (right, meant) in [
            ("http https://a.example", "speak to https://a.example"),
            ("http GET https://a.example", "send GET requests to https://a.example"),
            ("http GET,POST realm", "send GET and POST requests to the token server that the registry names"),
            ("http POST *", "send POST requests to the origins that you name"),
            ("secret key", "use the site's secret \"key\", without seeing it"),
            (
                "secret key https://a.example",
                "use the site's secret \"key\" towards https://a.example, without seeing it",
            ),
            ("secret *", "use the site's secrets that you name, without seeing them"),
            ("interface *", "make networks on the host's interfaces that you name"),
        ] {
            assert_eq!(means(right), meant);
        }
    }
}
