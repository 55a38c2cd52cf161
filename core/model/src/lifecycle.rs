//! The port to lifecycle policy: mutate, admit, before-start, after-exit, observe.

use crate::{digest::Digest, error::PortError, id::Caller};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// Something that somebody asks of the engine, parsed. Kinds are an open set: `container.create`, `container.start`,
/// `container.remove`, `exec.create`, `image.pull`, `image.push`, `image.remove`, ….
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// What is asked.
    pub kind: String,
    /// Who asks.
    pub caller: Caller,
    /// The image's reference, where one is involved.
    pub image: Option<String>,
    /// The image manifest's digest, where it is known.
    pub image_digest: Option<Digest>,
    /// Labels of the object at hand.
    pub labels: BTreeMap<String, String>,
    /// Whether full privileges are asked for.
    pub privileged: bool,
    /// The parsed request as JSON: for containers a [`crate::container::ContainerSpec`].
    pub request: serde_json::Value,
}

/// One change that a policy wants made to a request, by JSON pointer (RFC 6901) into [`Operation::request`], e.g.
/// `/labels/team`, `/env/TZ`, `/limits/memory`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adjustment {
    /// Where.
    pub path: String,
    /// The new value.
    pub value: serde_json::Value,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `container.start`, `container.die`, `image.pull`, …; an open set.
    pub kind: String,
    /// The object's id.
    pub actor: String,
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// Details.
    pub attributes: BTreeMap<String, String>,
}

/// What happens when a lifecycle policy cannot answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailMode {
    /// The operation is refused.
    Closed,
    /// The operation goes on, with a warning.
    Open,
}

/// Which of the hooks a policy has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooks {
    /// Changes requests.
    pub mutate: bool,
    /// Permits or refuses requests.
    pub admit: bool,
    /// Runs before a container starts.
    pub before_start: bool,
    /// Runs after a container ended.
    pub after_exit: bool,
    /// Sees events.
    pub observe: bool,
}

/// Decides what happens around a container's life. Hooks that a policy does not have are never called.
#[async_trait]
pub trait Lifecycle: Send + Sync + fmt::Debug {
    /// The plugin's name in the site's file.
    fn name(&self) -> &str;
    /// Which hooks it has.
    fn hooks(&self) -> Hooks;
    /// What to change before the operation is admitted.
    async fn mutate(&self, operation: &Operation) -> Result<Vec<Adjustment>, PortError>;
    /// Ok permits; `denied` refuses.
    async fn admit(&self, operation: &Operation) -> Result<(), PortError>;
    /// The container is about to start; an error stops it.
    async fn before_start(&self, operation: &Operation) -> Result<(), PortError>;
    /// The container ended with `status`.
    async fn after_exit(&self, operation: &Operation, status: i32) -> Result<(), PortError>;
    /// An event. Never waited for.
    async fn observe(&self, event: &Event) -> Result<(), PortError>;
}
