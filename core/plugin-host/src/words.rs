//! Rights in words: `http https://vault.example`, `state`. One right, one line, the same in lists, in questions to an
//! operator and in grants that are kept.

use crate::{
    manifest::Manifest,
    rights::{Ask, SITES_OWN},
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

    /// The rights that these words say.
    ///
    /// # Errors
    /// The word that is no right.
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
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
        ask.check()?;
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
        let key = key(right);
        self.why.get(key).or_else(|| self.why.get(&format!("{key}s"))).map(String::as_str)
    }
}

/// What kind of right a word is about.
pub fn key(right: &str) -> &str {
    right.split(' ').next().unwrap_or_default()
}

/// What a plugin may do with a right.
fn means(right: &str) -> String {
    let item = right.split_once(' ').map_or("", |(_, item)| item);
    match (key(right), item) {
        ("http", SITES_OWN) => "speak to the origins that you name".to_owned(),
        ("secret", SITES_OWN) => "use the site's secrets that you name, without seeing them".to_owned(),
        ("mirror", SITES_OWN) => {
            "have images fetched from the origins that you name instead of their registry".to_owned()
        }
        ("interface", SITES_OWN) => "make networks on the host's interfaces that you name".to_owned(),
        ("http", "registry") => "speak to the registry that is being asked".to_owned(),
        ("http", "realm") => "speak to the token server that the registry names".to_owned(),
        ("http", origin) => format!("speak to {origin}"),
        ("secret", name) => format!("use the site's secret {name:?}, without seeing it"),
        ("secret-file", SITES_OWN) => "give containers the site's secrets that you name, as files".to_owned(),
        ("secret-file", name) => format!("give containers the site's secret {name:?}, as a file"),
        ("adjust", pointer) => format!("change {pointer} of what users ask for"),
        ("mirror", origin) => format!("have images fetched from {origin} instead of their registry"),
        ("interface", name) => format!("make networks on the host's interface {name}"),
        ("state", _) => "remember up to a mebibyte of its own".to_owned(),
        ("credentials", _) => "use the credentials that are kept at the daemon".to_owned(),
        ("host-network", _) => "put containers into the host's own network".to_owned(),
        ("link-local", _) => "speak to link-local addresses, where clouds keep their keys".to_owned(),
        (_, _) => right.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_survive_their_words() {
        let words = ["http https://a.example", "http realm", "secret key", "adjust /labels/*", "state", "link-local"];
        let ask = Ask::from_words(words).unwrap();
        assert!(ask.state && ask.link_local && !ask.credentials);
        assert_eq!(ask.in_words().iter().map(String::as_str).collect::<BTreeSet<_>>(), words.into());
        for wrong in ["", "http", "stat", "state yes", "http *", "adjust labels", "file /etc"] {
            assert!(Ask::from_words([wrong]).is_err(), "{wrong:?}");
        }
    }
}
