//! What is durable of plugins that an operator brought.

use crate::{
    policy::{AskedRight, Inspected},
    tables::Row,
};
use davit_model::digest::Digest;
use davit_store::Durability;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many versions are kept to go back to.
pub(crate) const KEPT: usize = 3;

/// A component that was brought here. It goes after a day where no plugin is made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentRecord {
    /// The component's own digest.
    pub digest: Digest,
    /// That of the OCI artifact's manifest.
    pub artifact: Digest,
    /// That of its configuration.
    pub config: Digest,
    /// Bytes of the component.
    pub size: u64,
    /// The reference that it was pulled by, or the name of a file.
    pub source: String,
    /// When it came, the last time.
    pub brought: Timestamp,
    /// What the loader saw.
    pub inspected: Inspected,
}

/// An installed plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRecord {
    /// The name that the site's file uses.
    pub name: String,
    /// When it was installed.
    pub installed: Timestamp,
    /// Whether the site's file may use it.
    pub enabled: bool,
    /// The version in force.
    pub current: PluginVersion,
    /// Those before it, the last one first.
    pub previous: Vec<PluginVersion>,
    /// An upgrade that asks for more than was granted: it waits for the operator.
    pub held: Option<PluginVersion>,
    /// The last version that did not answer, and was rolled back.
    pub failure: Option<PluginFailure>,
}

/// One version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginVersion {
    /// The component.
    pub component: Digest,
    /// The name in its manifest.
    pub plugin: String,
    /// The version in its manifest.
    pub version: String,
    /// `storage`, `network`, `registry-auth`, `lifecycle`.
    pub kinds: Vec<String>,
    /// What it asks for.
    pub asks: Vec<AskedRight>,
    /// What the operator granted to this very component, in the same words.
    pub granted: BTreeSet<String>,
    /// Where one is held: what it asks for beyond the version in force, in the same words.
    #[serde(default)]
    pub more: BTreeSet<String>,
    /// Where it came from.
    pub source: String,
    /// When it was brought into force, or held.
    pub since: Timestamp,
}

/// A version that was rolled back by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginFailure {
    /// The component.
    pub component: Digest,
    /// Its version.
    pub version: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

impl PluginVersion {
    /// A version of this component with this grant.
    pub(crate) fn of(component: &ComponentRecord, granted: BTreeSet<String>) -> Self {
        let Inspected { name, version, kinds, asks, .. } = component.inspected.clone();
        Self {
            component: component.digest.clone(),
            plugin: name,
            version,
            kinds,
            asks,
            granted,
            more: BTreeSet::new(),
            source: component.source.clone(),
            since: Timestamp::now(),
        }
    }

    /// `name 1.2.0 (sha256:…)`, for messages.
    pub(crate) fn shown(&self) -> String {
        format!("{} {} ({}:{})", self.plugin, self.version, self.component.algorithm().as_str(), self.component.short())
    }
}

impl PluginRecord {
    /// The components of all its versions.
    pub(crate) fn components(&self) -> impl Iterator<Item = &Digest> {
        let versions = std::iter::once(&self.current).chain(&self.previous).chain(&self.held);
        versions.map(|version| &version.component)
    }
}

impl Row for PluginRecord {
    const TABLE: &'static str = "plugins";
    const DURABILITY: Durability = Durability::Full;
    fn key(&self) -> &str {
        &self.name
    }
}

impl Row for ComponentRecord {
    const TABLE: &'static str = "components";
    const DURABILITY: Durability = Durability::Full;
    fn key(&self) -> &str {
        self.digest.hex()
    }
}
