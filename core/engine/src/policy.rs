//! The ports that the site's file chose. A reload makes a new [`Policy`] and swaps it in as a whole; work in flight
//! keeps the one it began with.

pub use crate::auth_rule::AuthRule;
use crate::{
    error::EngineError,
    site::{NetworkSection, Site},
};
use async_trait::async_trait;
use davit_model::{
    auth::RegistryAuth, digest::Digest, lifecycle::FailMode, lifecycle::Lifecycle, network::NetworkDriver,
    reference::Reference, secret::Secret, storage::StorageDriver,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::sync::broadcast;

/// Everything that a site decides, ready to be asked.
#[derive(Debug, Default)]
pub struct Policy {
    /// Storage drivers by name.
    pub storage: BTreeMap<String, Arc<dyn StorageDriver>>,
    /// The driver of new containers and layers.
    pub default_storage: String,
    /// Authenticators by pattern, in order.
    pub auth: Vec<(Pattern, Arc<dyn RegistryAuth>)>,
    /// Network drivers by name.
    pub network: BTreeMap<String, Arc<dyn NetworkDriver>>,
    /// The driver of the default network.
    pub default_network: String,
    /// Pools, parents and families of networks to come; those that were made keep theirs.
    pub network_section: NetworkSection,
    /// Lifecycle policies, in order.
    pub lifecycle: Vec<Hooked>,
    /// What is loaded, for people.
    pub plugins: Vec<LoadedPlugin>,
    /// The site's file that it was made of.
    pub site: Arc<Site>,
}

/// A lifecycle policy with what happens when it cannot answer.
#[derive(Clone, Debug)]
pub struct Hooked {
    /// The policy.
    pub policy: Arc<dyn Lifecycle>,
    /// What happens when it cannot answer.
    pub fail: FailMode,
    /// Those before it whose changes it may change again.
    pub after: BTreeSet<String>,
}

/// A plugin that is loaded.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LoadedPlugin {
    /// Its name in the site's file.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it can be: `storage`, `network`, `registry-auth`, `lifecycle`.
    pub kinds: Vec<String>,
    /// Digest of the component.
    pub digest: String,
    /// Where it came from.
    pub source: String,
    /// What its manifest asks for.
    pub asks: Vec<AskedRight>,
    /// What it was granted, in words.
    pub grants: Vec<String>,
}

impl Policy {
    /// The storage driver of that name; none: the default.
    pub fn storage(&self, name: Option<&str>) -> Result<Arc<dyn StorageDriver>, EngineError> {
        let name = name.unwrap_or(&self.default_storage);
        self.storage.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.storage.keys().map(String::as_str).collect();
            EngineError::invalid(format!(
                "no storage driver {name:?} in the site's file (there are: {})",
                known.join(", ")
            ))
        })
    }

    /// Whether the storage drivers can work in this data root: one that cannot makes the policy one that cannot be in
    /// force.
    pub(crate) async fn probe(&self, data_root: &Path) -> Result<(), EngineError> {
        for (name, driver) in &self.storage {
            let (root, area) = (data_root.to_owned(), name.clone());
            let facts = tokio::task::spawn_blocking(move || davit_store::facts_at(&root, &area)).await;
            let facts = facts.map_err(|e| EngineError::internal("looking at the data root", e))?;
            let probed = driver.probe(&facts.map_err(crate::images::store_error)?).await;
            probed.map_err(|e| EngineError::from(e).context(&self.site.at_plugin(name)))?;
        }
        Ok(())
    }

    /// The network driver of that name.
    pub fn network(&self, name: &str) -> Result<Arc<dyn NetworkDriver>, EngineError> {
        self.network.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.network.keys().map(String::as_str).collect();
            EngineError::invalid(format!(
                "no network driver {name:?} in the site's file (there are: {})",
                known.join(", ")
            ))
        })
    }

    /// The authenticator for a reference: the first whose pattern matches.
    pub fn auth(&self, reference: &Reference) -> Result<Arc<dyn RegistryAuth>, EngineError> {
        let text = format!("{}/{}", reference.registry(), reference.repository());
        self.auth_for(&text)
    }

    /// The authenticator for `registry` alone or `registry/repository`.
    pub fn auth_for(&self, text: &str) -> Result<Arc<dyn RegistryAuth>, EngineError> {
        self.auth.iter().find(|(p, _)| p.matches(text)).map(|(_, a)| a.clone()).ok_or_else(|| {
            EngineError::new(
                crate::Kind::Forbidden,
                format!("no [[auth]] pattern of the site's file matches {text}; add one, then run: davit reload"),
            )
        })
    }
}

/// A pattern over `registry/repository`: `*` stands for any run of letters, slashes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether `text` matches from its beginning to its end. A pattern that names a registry alone (no slash, no
    /// star) matches all of its repositories.
    pub fn matches(&self, text: &str) -> bool {
        if !self.0.contains(['*', '/']) {
            return text == self.0 || text.strip_prefix(self.0.as_str()).is_some_and(|r| r.starts_with('/'));
        }
        let mut parts = self.0.split('*');
        let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
        let mut rest = rest;
        let mut parts = parts.peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            match rest.find(part) {
                Some(at) => rest = rest.get(at + part.len()..).unwrap_or(""),
                None => return false,
            }
        }
        rest.is_empty()
    }

    /// Whether all that the other one matches is matched by this one. A star of the other is a letter here that only a
    /// star takes.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let whole_registry = !other.0.contains(['*', '/']);
        self.matches(&other.0) && (!whole_registry || self.matches(&format!("{}/*", other.0)))
    }
}

/// An installed plugin, as the loader needs it.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The name that the site's file uses.
    pub name: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// The component.
    pub component: Vec<u8>,
    /// Its digest.
    pub digest: Digest,
    /// What the operator granted, in words.
    pub granted: BTreeSet<String>,
    /// Where it came from.
    pub source: String,
}

/// What a component is, and what it asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspected {
    /// The name in its manifest.
    pub name: String,
    /// The version in its manifest.
    pub version: String,
    /// `storage`, `network`, `registry-auth`, `lifecycle`.
    pub kinds: Vec<String>,
    /// The interfaces that it exports.
    pub exports: Vec<String>,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// What its manifest asks for.
    pub asks: Vec<AskedRight>,
}

/// A right that a manifest asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedRight {
    /// In the words of a grant: `http https://vault.example`.
    pub right: String,
    /// What the plugin may do with it.
    pub means: String,
    /// Why, in the manifest's own sentence; may be empty.
    pub why: String,
}

impl AskedRight {
    /// Whether only the site can name what it is for: `http *`, `http GET *`, `secret * https://vault.example`.
    pub(crate) fn is_sites_own(&self) -> bool {
        self.right.split(' ').any(|word| word == "*")
    }
}

/// How a plugin's calls went since the daemon started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Those that ended with an answer.
    pub answered: u64,
    /// Those that the plugin answered with an error.
    pub refused: u64,
    /// Those that the host ended: traps, limits, deadlines.
    pub failed: u64,
    /// Time in calls, all together.
    pub total: Duration,
    /// The longest one.
    pub longest: Duration,
}

/// One line of a plugin's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// `trace`, `debug`, `info`, `warn`, `error`.
    pub level: &'static str,
    /// What it said.
    pub text: String,
}

/// Makes a [`Policy`] of a site's file: the daemon's part, because it knows what stands behind the ports.
#[async_trait]
pub trait PolicyLoader: Send + Sync + fmt::Debug {
    /// Loads every plugin that the file names and probes it. An error leaves everything as it was.
    async fn load(&self, site: &Arc<Site>, installed: Vec<Installed>) -> Result<Policy, EngineError>;
    /// Looks at a component that nobody granted anything yet.
    async fn inspect(&self, component: &[u8]) -> Result<Inspected, EngineError>;
    /// Whether an installed plugin can be loaded and wakes up.
    async fn probe(&self, plugin: &Installed) -> Result<(), EngineError>;
    /// A grant's table, as the site's file would have it, in words; and the component that it is for, where it says so.
    fn grant_in_words(&self, table: &toml::Table) -> Result<(BTreeSet<String>, Option<String>), EngineError>;
    /// What of a grant is asked for, both in words: of each pair the narrower, where one is part of the other.
    fn common(&self, asks: &BTreeSet<String>, grant: &BTreeSet<String>) -> Result<BTreeSet<String>, EngineError>;
    /// What is asked for beyond what was asked for before and granted, all in words.
    fn beyond(
        &self,
        asks: &BTreeSet<String>,
        before: &BTreeSet<String>,
        grant: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, EngineError>;
    /// What is left of a grant without these rights.
    fn without(&self, grant: &BTreeSet<String>, revoked: &BTreeSet<String>) -> Result<BTreeSet<String>, EngineError>;
    /// A secret of the site, read now.
    async fn secret(&self, site: &Site, name: &str) -> Result<Secret, EngineError>;
    /// How a plugin's calls went.
    fn calls(&self, name: &str) -> Calls;
    /// The last lines of a plugin's log, and those to come.
    fn log(&self, name: &str) -> (Vec<LogLine>, broadcast::Receiver<LogLine>);
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, want) in [
            ("*", "docker.io/library/a", true),
            ("docker.io/*", "docker.io/library/a", true),
            ("docker.io/*", "docker.io.evil/library/a", false),
            ("127.0.0.1:5000", "127.0.0.1:5000/x/y", true),
            ("127.0.0.1:5000", "127.0.0.1:50001/x/y", false),
            ("*.example/team-*/app", "r.example/team-a/app", true),
            ("*.example/team-*/app", "r.example/team-a/app2", false),
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_covers_those_that_match_no_more_than_it_does() {
        for (pattern, other, want) in [
            ("*", "*", true),
            ("*", "docker.io", true),
            ("*", "a.example/*", true),
            ("a.example", "a.example", true),
            ("a.example", "a.example/team/*", true),
            ("a.example/*", "a.example/team", true),
            ("*.example/*", "a.example/*/b", true),
            ("a.example/*", "a.example", false),
            ("a.example/*", "*", false),
            ("a.example", "b.example", false),
            ("a.example/b*c", "a.example/b*", false),
            ("a.example/team", "a.example", false),
        ] {
            assert_eq!(Pattern::new(pattern).covers(&Pattern::new(other)), want, "{pattern} {other}");
        }
    }
}
