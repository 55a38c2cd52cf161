//! A plugin's name, in the forms that languages want.

use std::{fmt, str::FromStr};

const MAX: usize = 64;

/// A name as `plugin.toml` takes it: `[a-z][a-z0-9-]*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String);

/// Why a text is no name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoName;

impl fmt::Display for NoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a plugin's name is [a-z][a-z0-9-]*, at most {MAX} of them")
    }
}

impl std::error::Error for NoName {}

impl FromStr for Name {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let first = text.starts_with(|c: char| c.is_ascii_lowercase());
        let rest = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if first && rest && text.len() <= MAX { Ok(Self(text.to_owned())) } else { Err(NoName) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Name {
    /// As it is.
    pub(super) fn plain(&self) -> &str {
        &self.0
    }

    /// A template's text with this name in the place of its placeholders.
    pub(super) fn put_into(&self, text: &str) -> String {
        text.replace("my-plugin", &self.0).replace("my_plugin", &self.snake()).replace("MyPlugin", &self.camel())
    }

    /// For languages whose names have no hyphens.
    fn snake(&self) -> String {
        self.0.replace('-', "_")
    }

    /// For types.
    fn camel(&self) -> String {
        let mut out = String::new();
        for part in self.0.split('-') {
            let mut letters = part.chars();
            out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            out.push_str(letters.as_str());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_in_the_form_of_each_placeholder() {
        let name: Name = "site-auth-2".parse().unwrap();
        assert_eq!(name.put_into("my-plugin my_plugin MyPlugin"), "site-auth-2 site_auth_2 SiteAuth2");
    }

    #[test]
    fn what_a_manifest_would_refuse_is_refused() {
        for bad in ["", "Site", "2a", "-a", "a_b", "a.b", "../a", &"a".repeat(65)] {
            assert_eq!(bad.parse::<Name>(), Err(NoName), "{bad}");
        }
    }
}
