//! What one right is for, read from its text: an origin with the methods that it takes, a secret with where it may go, a
//! field of a request. Of two such texts one may be all that the other is, and both may have a part in common.

use crate::origin::Origin;
use davit_model::container::SecretFile;
use std::{collections::BTreeSet, fmt, str::FromStr};

/// In a manifest: whatever of this right the site grants by name, since only the site knows its origins, secrets and
/// interfaces. Nothing that a grant can say.
const SITES_OWN: &str = "*";

/// What a right of one kind is for.
pub(crate) trait Scope: FromStr<Err = String> + fmt::Display {
    /// Whether only the site can name it.
    fn is_sites_own(&self) -> bool;
    /// What this need and that grant have in common.
    fn common(&self, granted: &Self) -> Option<Self>;
    /// Whether those, all together, are all that this is.
    fn is_within(&self, those: &[Self]) -> bool;
}

/// `https://a.example`, `GET,POST realm`: where requests may go, and of which methods.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    methods: Methods,
    to: To,
}

#[derive(Clone, Debug)]
enum Methods {
    All,
    These(BTreeSet<String>),
}

/// Where to. The symbolic ones are those of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// An origin that the site names.
    SitesOwn,
    /// The registry that is being asked.
    Registry,
    /// The realm that it named.
    Realm,
    /// This one.
    Origin(Origin),
}

impl Methods {
    fn allow(&self, method: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(methods) => methods.contains(method),
        }
    }

    fn common(&self, others: &Self) -> Option<Self> {
        match (self, others) {
            (Self::All, one) | (one, Self::All) => Some(one.clone()),
            (Self::These(a), Self::These(b)) => {
                let both: BTreeSet<String> = a.intersection(b).cloned().collect();
                (!both.is_empty()).then_some(Self::These(both))
            }
        }
    }
}

impl Http {
    /// Where to.
    pub(crate) fn to(&self) -> &To {
        &self.to
    }

    /// Of which methods; none: of all.
    pub(crate) fn methods(&self) -> Option<&BTreeSet<String>> {
        match &self.methods {
            Methods::All => None,
            Methods::These(methods) => Some(methods),
        }
    }

    /// Whether a request may be of this method, as it is sent.
    pub(crate) fn allows(&self, method: &str) -> bool {
        self.methods.allow(method)
    }
}

impl FromStr for Http {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (methods, to) = match text.trim().rsplit_once(' ') {
            None => (Methods::All, text.trim()),
            Some((methods, to)) => (Methods::These(methods.split(',').map(method).collect::<Result<_, _>>()?), to),
        };
        let to = match to {
            SITES_OWN => To::SitesOwn,
            "registry" => To::Registry,
            "realm" => To::Realm,
            origin => To::Origin(origin.parse()?),
        };
        Ok(Self { methods, to })
    }
}

/// A method as requests have it: in capitals.
fn method(text: &str) -> Result<String, String> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') {
        return Ok(text.to_ascii_uppercase());
    }
    Err(format!("{text:?} is no method; methods stand before an origin, as in \"GET,POST https://vault.example\""))
}

impl fmt::Display for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Methods::These(methods) = &self.methods {
            let methods: Vec<&str> = methods.iter().map(String::as_str).collect();
            write!(f, "{} ", methods.join(","))?;
        }
        match &self.to {
            To::SitesOwn => f.write_str(SITES_OWN),
            To::Registry => f.write_str("registry"),
            To::Realm => f.write_str("realm"),
            To::Origin(origin) => origin.fmt(f),
        }
    }
}

impl Scope for Http {
    fn is_sites_own(&self) -> bool {
        self.to == To::SitesOwn
    }

    fn common(&self, granted: &Self) -> Option<Self> {
        // The symbolic origins are no names of the site: they are asked for by themselves.
        let named = self.is_sites_own() && matches!(granted.to, To::Origin(_));
        let methods = (named || self.to == granted.to).then(|| self.methods.common(&granted.methods)).flatten()?;
        Some(Self { methods, to: granted.to.clone() })
    }

    fn is_within(&self, those: &[Self]) -> bool {
        let mut there = those.iter().filter(|one| one.to == self.to);
        match &self.methods {
            Methods::All => there.any(|one| matches!(one.methods, Methods::All)),
            Methods::These(methods) => methods.iter().all(|method| there.clone().any(|one| one.allows(method))),
        }
    }
}

/// `vault-token`, `vault-token https://vault.example`: a secret of the site, and the one origin that it may go to.
#[derive(Clone, Debug)]
pub(crate) struct NamedSecret {
    name: Name,
    towards: Option<Origin>,
}

impl NamedSecret {
    /// Its name; none: the site names it.
    pub(crate) fn name(&self) -> Option<&str> {
        (!self.name.is_sites_own()).then_some(self.name.0.as_str())
    }

    /// Whether it is the secret of this name.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.0 == name
    }

    /// The one origin that it may go to; none: any that is granted by name.
    pub(crate) fn towards(&self) -> Option<&Origin> {
        self.towards.as_ref()
    }
}

impl FromStr for NamedSecret {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.rsplit_once(' ').filter(|(_, to)| to.contains("://")) {
            Some((name, to)) => Ok(Self { name: name.trim().parse()?, towards: Some(to.parse()?) }),
            None => Ok(Self { name: text.parse()?, towards: None }),
        }
    }
}

impl fmt::Display for NamedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.towards {
            Some(origin) => write!(f, "{} {origin}", self.name),
            None => self.name.fmt(f),
        }
    }
}

impl Scope for NamedSecret {
    fn is_sites_own(&self) -> bool {
        self.name.is_sites_own()
    }

    fn common(&self, granted: &Self) -> Option<Self> {
        let towards = match (&self.towards, &granted.towards) {
            (Some(a), Some(b)) if a != b => return None,
            (a, b) => a.as_ref().or(b.as_ref()).cloned(),
        };
        Some(Self { name: self.name.common(&granted.name)?, towards })
    }

    fn is_within(&self, those: &[Self]) -> bool {
        those.iter().any(|one| one.name == self.name && (one.towards.is_none() || one.towards == self.towards))
    }
}

/// An interface, a secret as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

impl FromStr for Name {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("an empty text names nothing".to_owned()) } else { Ok(Self(text.to_owned())) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Scope for Name {
    fn is_sites_own(&self) -> bool {
        self.0 == SITES_OWN
    }

    fn common(&self, granted: &Self) -> Option<Self> {
        (self.is_sites_own() || self == granted).then(|| granted.clone())
    }

    fn is_within(&self, those: &[Self]) -> bool {
        those.contains(self)
    }
}

/// An origin that may serve instead of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirror(Option<Origin>);

impl Mirror {
    /// Whether it is this one.
    pub(crate) fn is(&self, origin: &Origin) -> bool {
        self.0.as_ref() == Some(origin)
    }
}

impl FromStr for Mirror {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == SITES_OWN { Ok(Self(None)) } else { Ok(Self(Some(text.parse()?))) }
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(origin) => origin.fmt(f),
            None => f.write_str(SITES_OWN),
        }
    }
}

impl Scope for Mirror {
    fn is_sites_own(&self) -> bool {
        self.0.is_none()
    }

    fn common(&self, granted: &Self) -> Option<Self> {
        (self.is_sites_own() || self == granted).then(|| granted.clone())
    }

    fn is_within(&self, those: &[Self]) -> bool {
        those.contains(self)
    }
}

/// A JSON pointer into a request; `*` stands for one segment.
#[derive(Clone, Debug)]
pub(crate) struct Field(String);

impl Field {
    /// Whether a pointer is one of this pattern's: same number of segments, `*` standing for any one. A pattern that is
    /// one of them is covered by it.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let (mut pattern, mut path) = (self.0.split('/'), path.split('/'));
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return true,
                (Some("*"), Some(segment)) if !segment.is_empty() => {}
                (Some(a), Some(b)) if a == b => {}
                _ => return false,
            }
        }
    }
}

impl FromStr for Field {
    type Err = String;
    fn from_str(pointer: &str) -> Result<Self, String> {
        if !pointer.starts_with('/') {
            return Err(format!("{pointer:?} is not a JSON pointer"));
        }
        if SecretFile::is_at(pointer) || pointer.starts_with("/*") {
            return Err(format!("{pointer:?}: secrets are given by the right \"secret-files\", each by name"));
        }
        Ok(Self(pointer.to_owned()))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Scope for Field {
    fn is_sites_own(&self) -> bool {
        false
    }

    fn common(&self, granted: &Self) -> Option<Self> {
        let (mut ours, mut theirs) = (self.0.split('/'), granted.0.split('/'));
        let mut segments = Vec::new();
        loop {
            segments.push(match (ours.next(), theirs.next()) {
                (None, None) => return Some(Self(segments.join("/"))),
                (Some("*"), Some(one)) | (Some(one), Some("*")) if !one.is_empty() => one,
                (Some(a), Some(b)) if a == b => a,
                _ => return None,
            });
        }
    }

    fn is_within(&self, those: &[Self]) -> bool {
        those.iter().any(|one| one.matches(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common<S: Scope>(need: &str, grant: &str) -> Option<String> {
        let read = |text: &str| text.parse::<S>().unwrap();
        read(need).common(&read(grant)).map(|both| both.to_string())
    }

    fn within<S: Scope>(one: &str, those: &[&str]) -> bool {
        let those: Vec<S> = those.iter().map(|text| text.parse().unwrap()).collect();
        one.parse::<S>().unwrap().is_within(&those)
    }

    #[test]
    fn a_right_is_always_written_the_same_way() {
        for (text, written) in [
            ("https://A.example:443", "https://a.example"),
            ("post, get https://a.example", "GET,POST https://a.example"),
            ("GET,GET realm", "GET realm"),
            ("HEAD *", "HEAD *"),
        ] {
            assert_eq!(text.parse::<Http>().unwrap().to_string(), written);
        }
        for wrong in ["GET", "GET ", ", https://a.example", "G:T realm", "GET https://a.example/x", "GET a.example", ""]
        {
            assert!(wrong.parse::<Http>().is_err(), "{wrong:?}");
        }
        let secret = "key  https://a.example:443".parse::<NamedSecret>().unwrap();
        assert_eq!(secret.to_string(), "key https://a.example");
        for wrong in ["", "https://a.example/x key://", "key https://a.example/x", "key ftp://a.example"] {
            assert!(wrong.parse::<NamedSecret>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_need_and_a_grant_have_the_narrower_of_both_in_common() {
        for (need, grant, both) in [
            ("https://a.example", "GET https://a.example", Some("GET https://a.example")),
            ("GET https://a.example", "https://a.example", Some("GET https://a.example")),
            ("GET,POST https://a.example", "POST,PUT https://a.example", Some("POST https://a.example")),
            ("GET https://a.example", "POST https://a.example", None),
            ("POST *", "https://a.example", Some("POST https://a.example")),
            ("POST *", "realm", None),
            ("GET,POST realm", "realm", Some("GET,POST realm")),
            ("https://a.example", "https://b.example", None),
        ] {
            assert_eq!(common::<Http>(need, grant).as_deref(), both, "{need} {grant}");
        }
        for (need, grant, both) in [
            ("key", "key https://a.example", Some("key https://a.example")),
            ("key https://a.example", "key", Some("key https://a.example")),
            ("key https://a.example", "key https://b.example", None),
            ("*", "key https://a.example", Some("key https://a.example")),
            ("* https://a.example", "key", Some("key https://a.example")),
            ("key", "other", None),
        ] {
            assert_eq!(common::<NamedSecret>(need, grant).as_deref(), both, "{need} {grant}");
        }
        for (need, grant, both) in [
            ("/labels/*", "/labels/team", Some("/labels/team")),
            ("/labels/team", "/labels/*", Some("/labels/team")),
            ("/a/*/c", "/a/b/*", Some("/a/b/c")),
            ("/labels/*", "/labels/*", Some("/labels/*")),
            ("/labels/*", "/labels/", None),
            ("/labels/*", "/labels", None),
            ("/labels/*", "/env/A", None),
        ] {
            assert_eq!(common::<Field>(need, grant).as_deref(), both, "{need} {grant}");
        }
    }

    #[test]
    fn what_is_broader_covers_what_is_narrower_and_never_the_other_way_round() {
        assert!(within::<Http>("GET https://a.example", &["https://a.example"]));
        assert!(within::<Http>("GET,POST https://a.example", &["GET https://a.example", "POST https://a.example"]));
        assert!(!within::<Http>("https://a.example", &["GET https://a.example", "POST https://a.example"]));
        assert!(!within::<Http>("GET https://a.example", &["*"]), "what the site names is no name");
        assert!(within::<Http>("GET *", &["*"]) && !within::<Http>("*", &["GET *", "https://a.example"]));
        assert!(within::<NamedSecret>("key https://a.example", &["key"]));
        assert!(!within::<NamedSecret>("key", &["key https://a.example"]));
        assert!(!within::<NamedSecret>("key https://a.example", &["key https://b.example", "*"]));
        assert!(within::<Field>("/labels/team", &["/env/A", "/labels/*"]));
        assert!(!within::<Field>("/labels/*", &["/labels/team"]));
        assert!(within::<Mirror>("https://m.example", &["https://m.example:443"]));
        assert!(!within::<Name>("eth1", &["*"]) && within::<Name>("*", &["*"]));
    }
}
