//! What an operator grants to a plugin: rights in the manifest's own words, bound to the component's digest.

use crate::{ask::Ask, plugin::PluginInfo};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// A grant: `[plugins.NAME.grant]` of the site's file, or the file `NAME.grant.toml` beside a shipped component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The digest of the component that it is for, `sha256:…`. Required where anything is granted.
    pub digest: Option<String>,
    /// The rights.
    pub rights: Ask,
    /// A file in the format of docker's `config.json` whose credentials the plugin may use.
    pub credential_file: Option<PathBuf>,
    /// Whom those credentials may serve: `uid:0`, `cn:ci.example`.
    pub credential_callers: BTreeSet<String>,
}

/// Beside the rights, in words.
const CREDENTIAL_FILE: &str = "credential-file";
const CREDENTIAL_CALLER: &str = "credential-caller";

fn absolute(file: PathBuf) -> Result<PathBuf, String> {
    if file.is_absolute() { Ok(file) } else { Err("credential-file must be an absolute path".to_owned()) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[derive(Default)]
struct Written {
    digest: Option<String>,
    credential_file: Option<PathBuf>,
    credential_callers: BTreeSet<String>,
    http: BTreeSet<String>,
    secrets: BTreeSet<String>,
    secret_files: BTreeSet<String>,
    state: bool,
    credentials: bool,
    adjust: BTreeSet<String>,
    mirrors: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    host_network: bool,
    link_local: bool,
}

impl Grant {
    /// All that a plugin's manifest asks for by name, for exactly this component; for trying a plugin out.
    pub fn of_needs(info: &PluginInfo) -> Self {
        Self { digest: Some(info.digest.clone()), rights: info.needs().named(), ..Self::default() }
    }

    /// A grant that was kept in words, for exactly this component: rights (see [`crate::words`]), and beside them
    /// `credential-file /path` and `credential-caller uid:0`.
    ///
    /// # Errors
    /// The word that cannot be read.
    pub fn from_words<'a>(digest: &str, words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut grant = Self { digest: Some(digest.to_owned()), ..Self::default() };
        let mut rights = Vec::new();
        for word in words {
            match word.split_once(' ') {
                Some((CREDENTIAL_FILE, file)) => grant.credential_file = Some(absolute(file.into())?),
                Some((CREDENTIAL_CALLER, caller)) => drop(grant.credential_callers.insert(caller.to_owned())),
                _ => rights.push(word),
            }
        }
        grant.rights = Ask::from_words(rights)?;
        Ok(grant)
    }

    /// The same in words.
    pub fn in_words(&self) -> Vec<String> {
        let file = self.credential_file.iter().map(|file| format!("{CREDENTIAL_FILE} {}", file.display()));
        let callers = self.credential_callers.iter().map(|caller| format!("{CREDENTIAL_CALLER} {caller}"));
        self.rights.in_words().into_iter().chain(file).chain(callers).collect()
    }

    /// Reads a table; unknown keys are errors.
    ///
    /// # Errors
    /// A text that says which key is wrong.
    pub fn from_table(table: &toml::Table) -> Result<Self, String> {
        let w: Written = table.clone().try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
        let rights = Ask {
            http: w.http,
            secrets: w.secrets,
            secret_files: w.secret_files,
            state: w.state,
            credentials: w.credentials,
            adjust: w.adjust,
            mirrors: w.mirrors,
            interfaces: w.interfaces,
            host_network: w.host_network,
            link_local: w.link_local,
        };
        Ok(Self {
            digest: w.digest,
            rights: rights.into_grant()?,
            credential_file: w.credential_file.map(absolute).transpose()?,
            credential_callers: w.credential_callers,
        })
    }

    /// The pre-written grant of a shipped component: the file `NAME.grant.toml` beside `NAME.wasm`; none where there is
    /// none.
    ///
    /// # Errors
    /// A text that says why the file cannot be used.
    pub fn beside(component: &Path) -> Result<Option<Self>, String> {
        let path = component.with_extension("grant.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(format!("{}: {e}", path.display())),
        };
        let table: toml::Table = text.parse().map_err(|e| format!("{}: {e}", path.display()))?;
        Self::from_table(&table).map(Some).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Whether the grant is for these bytes.
    pub(crate) fn fits(&self, digest: &str) -> Result<(), String> {
        match &self.digest {
            Some(granted) if granted == digest => Ok(()),
            Some(granted) => Err(format!(
                "the grant is for {granted}, the component is {digest}; look at what changed and grant it anew"
            )),
            None if self.rights.is_nothing() => Ok(()),
            None => Err(format!("a grant of rights names the component it is for: digest = \"{digest}\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> Result<Grant, String> {
        Grant::from_table(&text.parse().unwrap())
    }

    #[test]
    fn unknown_keys_and_bad_origins_are_errors() {
        assert!(grant("http = [\"realm\"]\ndigest = \"sha256:00\"").is_ok());
        assert!(grant("htpp = []").unwrap_err().contains("htpp"));
        assert!(grant("http = [\"*\"]").is_err());
        assert!(grant("credential-file = \"config.json\"").is_err());
    }

    #[test]
    fn a_grant_survives_its_words() {
        let given = grant(
            "digest = \"sha256:aa\"\nhttp = [\"realm\"]\nstate = true\ncredential-file = \"/etc/c.json\"\n\
             credential-callers = [\"uid:0\"]",
        )
        .unwrap();
        let words = given.in_words();
        assert_eq!(Grant::from_words("sha256:aa", words.iter().map(String::as_str)).unwrap(), given);
        assert!(Grant::from_words("sha256:aa", ["credential-file c.json"]).is_err());
    }

    #[test]
    fn rights_are_bound_to_a_digest() {
        assert!(grant("").unwrap().fits("sha256:aa").is_ok());
        assert!(grant("state = true").unwrap().fits("sha256:aa").is_err());
        assert!(grant("state = true\ndigest = \"sha256:aa\"").unwrap().fits("sha256:aa").is_ok());
        assert!(grant("digest = \"sha256:bb\"").unwrap().fits("sha256:aa").is_err());
    }
}
