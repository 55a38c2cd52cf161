//! The journal's port: what is about to be done is written down before it is done, so that the next process can finish
//! or undo it without asking any policy again.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of an entry, given by the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntryId(pub i64);

/// Something under way. An entry that is still there when a daemon starts is work that its predecessor did not end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Who can undo it: `store.steps`, `store.unpack`, `network.network`, `network.endpoint`, `engine.start`, ….
    pub kind: String,
    /// The object it is about: a container's id, a chain id, a network's id.
    pub object: String,
    /// The checked plan, as its owner writes it.
    pub body: serde_json::Value,
}

/// Why the journal could not be written. The plan must not be applied then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written: {0}")]
pub struct JournalError(pub String);

/// Where work under way is written down.
#[async_trait]
pub trait Journal: Send + Sync + fmt::Debug {
    /// Writes an entry; it is durable against a kill when this returns.
    async fn begin(&self, entry: &Entry) -> Result<EntryId, JournalError>;
    /// Replaces the body of an entry (a step went through).
    async fn update(&self, id: EntryId, body: &serde_json::Value) -> Result<(), JournalError>;
    /// Removes an entry: its work is done, or undone.
    async fn end(&self, id: EntryId) -> Result<(), JournalError>;
    /// All entries, oldest first.
    async fn open(&self) -> Result<Vec<(EntryId, Entry)>, JournalError>;
}
