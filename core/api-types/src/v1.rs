//! What `/davit/v1` adds to the Docker Engine API: plugins, and reading the site's file again.
//!
//! | Route | Answer |
//! |---|---|
//! | `GET /davit/v1/plugins` | list of [`Plugin`] |
//! | `GET /davit/v1/plugins/{name}` | [`Plugin`]; 404 with a [`Failure`](crate::failure::Failure) |
//! | `POST /davit/v1/reload` | [`Reloaded`]; 400 with the file's line and the reason, and nothing has changed |

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
    /// `ready`, `compiling`, `failed`.
    pub state: String,
    /// Why it failed; empty otherwise.
    pub error: String,
    /// Where the site uses it, in words: `storage driver`, `auth for *`, `network bridge`, `lifecycle #1`.
    pub used_as: Vec<String>,
    /// What its manifest asks for, one line each.
    pub needs: Vec<String>,
    /// What the operator granted, one line each.
    pub grants: Vec<String>,
    /// Calls since the daemon started.
    pub calls: u64,
    /// Calls of these that failed: traps, limits and deadlines, not refusals.
    pub failures: u64,
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
