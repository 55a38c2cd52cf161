//! What `/davit/v1` adds to the Docker Engine API: plugins, and reading the site's file again.
//!
//! | Route | Body, parameters | Answer |
//! |---|---|---|
//! | `GET /davit/v1/plugins` | | list of [`Plugin`] |
//! | `POST /davit/v1/plugins` | [`Install`] | [`Plugin`] |
//! | `GET /davit/v1/plugins/{name}` | | [`Plugin`] |
//! | `DELETE /davit/v1/plugins/{name}` | | nothing |
//! | `POST /davit/v1/plugins/{name}/upgrade` | [`Upgrade`] | [`Plugin`]; `Held` is set where it waits for a grant |
//! | `POST /davit/v1/plugins/{name}/rollback` | | [`Plugin`] |
//! | `POST /davit/v1/plugins/{name}/grant`, `…/revoke` | [`Rights`] | [`Plugin`] |
//! | `POST /davit/v1/plugins/{name}/enable`, `…/disable` | | [`Plugin`] |
//! | `GET /davit/v1/plugins/{name}/logs` | `follow`, `tail` | lines of [`LogLine`] |
//! | `POST /davit/v1/components` | a component, `source` | [`Component`] |
//! | `POST /davit/v1/components/pull` | `reference` | progress as of `/images/create` |
//! | `GET /davit/v1/components/{digest or reference}` | | [`Component`] |
//! | `GET /davit/v1/components/{digest}/content` | | the component |
//! | `POST /davit/v1/components/{digest or plugin}/push` | `reference` | progress as of `/images/…/push` |
//! | `POST /davit/v1/reload` | | [`Reloaded`]; 400 with the file's line and the reason, and nothing has changed |
//!
//! Errors are [`Failure`](crate::failure::Failure)s: 400 for what cannot be taken, 404 for a plugin or component that is
//! not here, 409 for one that is in use or there already; 304 where nothing is to be done.

use serde::{Deserialize, Serialize};

/// A plugin as the daemon holds it. Docker's spelling of keys, so that `--format` templates read alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Plugin {
    /// The name in the site's file.
    pub name: String,
    /// The version in its manifest.
    pub version: String,
    /// The component's digest, `sha256:…`.
    pub digest: String,
    /// What it is: `storage`, `network`, `registry-auth`, `lifecycle`.
    pub kinds: Vec<String>,
    /// Where it came from: a file's path or a reference.
    pub source: String,
    /// `in use`, `enabled` or `disabled`.
    pub state: String,
    /// Whether it was installed; otherwise it comes with the site's file.
    pub installed: bool,
    /// Where the site uses it, in words: `storage driver`, `auth for *`, `network driver`, `lifecycle #1`.
    pub used_as: Vec<String>,
    /// What its manifest asks for.
    pub asks: Vec<Right>,
    /// What the operator granted, in the same words.
    pub granted: Vec<String>,
    /// The versions before, the last one first.
    pub previous: Vec<PluginVersion>,
    /// An upgrade that asks for more and waits for its grant.
    pub held: Option<PluginVersion>,
    /// The last version that did not answer and was rolled back.
    pub failure: Option<PluginFailure>,
    /// Its calls.
    pub calls: Calls,
}

/// A right that a manifest asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Right {
    /// In the words of a grant: `http https://vault.example`.
    pub right: String,
    /// What the plugin may do with it.
    pub means: String,
    /// Why, in the manifest's own sentence.
    pub why: String,
}

/// A version of a plugin that is not in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PluginVersion {
    /// The version in its manifest.
    pub version: String,
    /// The component's digest.
    pub digest: String,
    /// Where it came from.
    pub source: String,
    /// What its manifest asks for.
    pub asks: Vec<Right>,
    /// What it was granted.
    pub granted: Vec<String>,
    /// Where it waits for a grant: what it asks for beyond the version in force, in the same words.
    pub more: Vec<String>,
    /// RFC 3339: when it came into force, or is held since.
    pub since: String,
}

/// A version that was rolled back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PluginFailure {
    /// The version in its manifest.
    pub version: String,
    /// The component's digest.
    pub digest: String,
    /// Why it was rolled back.
    pub reason: String,
    /// RFC 3339: when.
    pub at: String,
}

/// How a plugin's calls went since the daemon started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Calls {
    /// Those that ended with an answer.
    pub answered: u64,
    /// Those that the plugin answered with an error.
    pub refused: u64,
    /// Those that the host ended: traps, limits and deadlines.
    pub failed: u64,
    /// Microseconds in calls, all together.
    pub total_us: u64,
    /// Microseconds of the longest one.
    pub longest_us: u64,
}

/// The largest component that is taken: a client need not send a larger one.
pub const LARGEST_COMPONENT: u64 = 64 << 20;

/// A component that is here, installed or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Component {
    /// Its digest.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// The reference or file that it came from.
    pub source: String,
    /// The name in its manifest.
    pub name: String,
    /// The version in its manifest.
    pub version: String,
    /// What it is.
    pub kinds: Vec<String>,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// What its manifest asks for.
    pub asks: Vec<Right>,
}

/// A component to install as a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Install {
    /// The component's digest.
    pub component: String,
    /// The plugin's name in the site's file; empty: that of its manifest.
    pub name: String,
    /// What it is granted.
    pub grant: Rights,
    /// Whether the site's file shall not use it yet.
    pub disabled: bool,
}

/// A component that shall take the place of a plugin's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Upgrade {
    /// The component's digest.
    pub component: String,
    /// What it is granted beside what its predecessor was; absent or nothing: it is held where it asks for more.
    pub grant: Option<Rights>,
}

/// Rights to grant or to revoke.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Rights {
    /// All that the plugin asks for, or has.
    pub all: bool,
    /// In words: `http GET https://vault.example`, `state`.
    pub rights: Vec<String>,
    /// A grant as the site's file has it (TOML).
    pub table: String,
}

/// A line of a plugin's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LogLine {
    /// RFC 3339.
    pub time: String,
    /// `trace`, `debug`, `info`, `warn`, `error`.
    pub level: String,
    /// What it said.
    pub text: String,
}

/// What reading the site's file again changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Reloaded {
    /// The file that was read.
    pub file: String,
    /// What is different now, one line each; empty where nothing is.
    pub changes: Vec<String>,
    /// What the operator should look at, one line each.
    pub warnings: Vec<String>,
}
