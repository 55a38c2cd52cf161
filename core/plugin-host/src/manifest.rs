//! `plugin.toml`: what a plugin is, what it needs and why, and how much of everything it asks for. It is a custom
//! section of the component, hence inside its digest. Unknown keys are errors: a policy that is not enforced must not
//! be accepted.

use crate::{limits::Wanted, rights::Ask, section};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A manifest, read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `[plugin]`
    pub plugin: Identity,
    /// `[needs]`
    #[serde(default)]
    pub needs: Ask,
    /// `[why]`: for each need, a sentence for the operator who is to grant it.
    #[serde(default)]
    pub why: BTreeMap<String, String>,
    /// `[limits]`
    #[serde(default)]
    pub limits: Wanted,
}

/// `[plugin]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// `[a-z][a-z0-9-]*`, at most 64 bytes.
    pub name: String,
    /// The plugin's version.
    pub version: String,
}

impl Manifest {
    /// The component with this `plugin.toml` in it; another that it had is gone.
    ///
    /// # Errors
    /// What is wrong with the manifest, or why the bytes are no component.
    pub fn embed(component: &[u8], manifest: &[u8]) -> Result<Vec<u8>, String> {
        Self::parse(manifest)?;
        section::with_custom(component, section::MANIFEST, manifest)
    }

    /// `name@version`, as errors name it.
    pub(crate) fn label(&self) -> String {
        format!("{}@{}", self.plugin.name, self.plugin.version)
    }

    /// Reads the section's bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the manifest is not UTF-8".to_owned())?;
        let manifest: Self = toml::from_str(text).map_err(|e| format!("the manifest: {}", e.to_string().trim()))?;
        let Identity { name, version } = &manifest.plugin;
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.bytes().all(letter) || name.len() > 64 {
            return Err(format!("the manifest: {name:?} is not a plugin's name ([a-z][a-z0-9-]*)"));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+');
        if version.is_empty() || version.len() > 64 || !version.bytes().all(plain) {
            return Err(format!("the manifest: {version:?} is not a version"));
        }
        manifest.needs.check_needs().map_err(|e| format!("the manifest: [needs] {e}"))?;
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_errors() {
        let good = "[plugin]\nname = \"a\"\nversion = \"1\"\n[needs]\nstate = true\n[limits]\nmemory = \"8MiB\"\n";
        assert!(Manifest::parse(good.as_bytes()).is_ok());
        for (from, to) in [("state", "sate"), ("memory", "mem"), ("version", "ver"), ("\"a\"", "\"A\""), ("8MiB", "8")]
        {
            assert!(Manifest::parse(good.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }
}
