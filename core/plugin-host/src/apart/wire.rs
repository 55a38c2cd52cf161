//! What daemon and host process say to each other: JSON, one message a frame. Each call and each question of a call has a
//! number, chosen by who asks. Where a secret would be, there is a mark that stands for it (`super::veil`).

use crate::{
    ask::Ask,
    counts::End,
    limits::Limits,
    question::{Question, Reply},
};
use davit_model::{
    digest::Digest,
    error::{PolicyError, PortError},
    network::{PortRequest, SubnetId},
    secret::Secret,
    services::{HttpRequest, LogLevel},
    state::{Planned, StateWrites},
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{collections::BTreeSet, net::IpAddr, time::Duration};

/// To the host process.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ToHost {
    /// Load a plugin; its compiled form comes with the frame, as a descriptor.
    Load(Box<Load>),
    /// Forget a plugin; its calls end by themselves.
    Unload { plugin: u64 },
    /// Make a call.
    Call {
        id: u64,
        plugin: u64,
        call: Call,
        /// The plugin's section of the site's file, where it can ask for that: nearly all do, and each would cost a question.
        section: Option<Box<RawValue>>,
    },
    /// Whether it still listens; it says `Pong`.
    Ping { number: u64 },
    /// The caller waits no more.
    Cancel { id: u64 },
    /// To a question.
    Served { ask: u64, answer: Served },
}

/// A plugin to load.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Load {
    pub(super) plugin: u64,
    pub(super) site_name: String,
    pub(super) digest: String,
    /// `plugin.toml`.
    pub(super) manifest: String,
    pub(super) granted: Ask,
    pub(super) callers: BTreeSet<String>,
}

/// A call.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Call {
    /// Make an instance, and no more.
    Wake,
    /// A question.
    Ask(Box<Question>),
}

/// From the host process.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FromHost {
    /// It has confined itself, and serves.
    Ready,
    /// It has not, and ends.
    Failed { why: String },
    /// Of a plugin.
    Loaded { plugin: u64, loaded: Result<Loaded, String> },
    /// Of a call.
    Answered { id: u64, end: End, answer: Result<Option<Planned<Reply>>, PortError> },
    /// To a ping.
    Pong { number: u64 },
    /// A call asks something of the daemon.
    Asks { ask: u64, id: u64, asks: Asks },
    /// A line for a plugin's log.
    Log { plugin: u64, level: LogLevel, text: String },
}

/// What a component turned out to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Loaded {
    pub(super) exports: Vec<String>,
    pub(super) imports: Vec<String>,
    pub(super) functions: BTreeSet<String>,
    pub(super) kinds: Vec<String>,
    /// How long its calls may take.
    pub(super) deadlines: Deadlines,
}

/// In milliseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Deadlines {
    pub(super) plan: u64,
    pub(super) auth: u64,
    pub(super) observe: u64,
}

impl Deadlines {
    pub(super) fn of(limits: &Limits) -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self { plan: ms(limits.plan_deadline), auth: ms(limits.auth_deadline), observe: ms(limits.observe_deadline) }
    }

    /// That of a call.
    pub(super) fn for_call(self, question: Option<&Question>) -> Duration {
        use crate::question::{LifecycleCall, NetworkCall, StorageCall};
        Duration::from_millis(match question {
            Some(Question::RegistryAuth(_)) => self.auth,
            Some(
                Question::Lifecycle(LifecycleCall::Observe { .. })
                | Question::Network(NetworkCall::Released { .. })
                | Question::Storage(StorageCall::Released { .. }),
            ) => self.observe,
            Some(_) => self.plan,
            None => u64::try_from(crate::plugin::WAKING.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// What a call asks of the daemon.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Asks {
    Config,
    StateGet {
        key: String,
    },
    StateCommit {
        writes: StateWrites,
    },
    StateKeys {
        prefix: String,
    },
    Secret {
        name: String,
    },
    /// Of the secret that a mark stands for, as the next.
    Fingerprint {
        secret: Secret,
    },
    Hmac {
        secret: Secret,
        data: Vec<u8>,
    },
    Stored {
        server: String,
    },
    Http {
        request: Box<HttpRequest>,
    },
    Subnet {
        wanted: Option<IpNet>,
        v6: bool,
    },
    Address {
        subnet: SubnetId,
        wanted: Option<IpAddr>,
    },
    Port {
        request: PortRequest,
    },
    Referrers {
        artifact_type: String,
    },
    Blob {
        digest: Digest,
    },
}

/// What the daemon answers: the value as the question wants it.
pub(super) type Served = Result<serde_json::Value, PolicyError>;

/// A value for the wire.
pub(super) fn served<T: Serialize>(answer: Result<T, PolicyError>) -> Served {
    let failed = |e: serde_json::Error| PolicyError::Internal(format!("an answer cannot be written: {e}"));
    answer.and_then(|value| serde_json::to_value(value).map_err(failed))
}

/// And back.
pub(super) fn read<T: DeserializeOwned>(answer: Served) -> Result<T, PolicyError> {
    let failed = |e: serde_json::Error| PolicyError::Internal(format!("an answer cannot be read: {e}"));
    answer.and_then(|value| serde_json::from_value(value).map_err(failed))
}
