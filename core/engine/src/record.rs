//! What is durable of a container. Written as JSON into `davit.db`; a later Davit must be able to read it, so fields
//! are added with defaults and never change their meaning.

use davit_model::{
    container::ContainerSpec,
    digest::Digest,
    id::{ContainerId, ObjectName},
    network::EndpointPlan,
    storage::RootPlan,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A container, from its creation to its removal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerRecord {
    /// Its id.
    pub id: ContainerId,
    /// Its name, unique among containers.
    pub name: ObjectName,
    /// When it was made.
    pub created: Timestamp,
    /// Who asked for it.
    pub caller: String,
    /// What was asked, as policy left it.
    pub spec: ContainerSpec,
    /// The image's id: its configuration's digest.
    pub image: Digest,
    /// The digest of the image's manifest, where it is known.
    pub image_manifest: Option<Digest>,
    /// What runs, with the image's configuration merged in.
    pub process: ProcessRecord,
    /// Labels of the image and of the request.
    pub labels: BTreeMap<String, String>,
    /// Ports of the image and of the request, `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// The storage driver that made its root, and keeps it.
    pub driver: String,
    /// The place of its root.
    pub root: RootPlan,
    /// What else is mounted.
    pub mounts: Vec<MountRecord>,
    /// How it is.
    pub state: State,
    /// What its network is made of, while it runs.
    #[serde(default)]
    pub endpoint: Option<EndpointRecord>,
}

/// The process that a container runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRecord {
    /// Entry point and command; never empty.
    pub args: Vec<String>,
    /// The entry point as it stands for `inspect`.
    pub entrypoint: Vec<String>,
    /// The command as it stands for `inspect`.
    pub cmd: Vec<String>,
    /// `NAME=value`, in order.
    pub env: Vec<String>,
    /// Absolute; `/` where nothing said otherwise.
    pub cwd: String,
    /// As the image or the request wrote it; resolved inside the container's root. Empty: root.
    pub user: String,
    /// The signal that `stop` sends, e.g. `SIGTERM`.
    pub stop_signal: String,
}

/// A mount of a container beside its root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountRecord {
    /// `bind`, `volume` or `tmpfs`.
    pub kind: String,
    /// The volume's name.
    pub name: Option<String>,
    /// Path on the host; empty for tmpfs.
    pub source: String,
    /// Path in the container.
    pub target: String,
    /// Not to be written to.
    pub read_only: bool,
    /// Mount propagation.
    pub propagation: String,
    /// The volume was made for this container alone.
    #[serde(default)]
    pub anonymous: bool,
    /// An empty volume is not filled from the image.
    #[serde(default)]
    pub no_copy: bool,
}

/// How a container is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The word for it.
    pub status: Status,
    /// Process id of its init on the host; 0 where it does not run.
    pub pid: u32,
    /// Exit status of the last run; 128 + signal where a signal ended it.
    pub exit_code: i64,
    /// Why the last start failed.
    pub error: String,
    /// The memory limit ended it.
    pub oom_killed: bool,
    /// Last start.
    pub started: Option<Timestamp>,
    /// Last end.
    pub finished: Option<Timestamp>,
    /// How often the restart policy started it again.
    pub restarts: u32,
    /// Somebody asked it to stop, so the restart policy does not apply.
    #[serde(default)]
    pub stopped_by_hand: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            status: Status::Created,
            pid: 0,
            exit_code: 0,
            error: String::new(),
            oom_killed: false,
            started: None,
            finished: None,
            restarts: 0,
            stopped_by_hand: false,
        }
    }
}

/// The states that Docker's API knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Made, never started.
    Created,
    /// Its init runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// It ended and will be started again.
    Restarting,
    /// It is being removed.
    Removing,
    /// It ended.
    Exited,
    /// It could not be removed.
    Dead,
}

impl Status {
    /// The word that the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }

    /// The state with that word.
    pub fn parse(word: &str) -> Option<Self> {
        use Status::{Created, Dead, Exited, Paused, Removing, Restarting, Running};
        [Created, Running, Paused, Restarting, Removing, Exited, Dead].into_iter().find(|s| s.as_str() == word)
    }

    /// Whether there is an init process.
    pub fn has_process(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

/// A container's place on a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRecord {
    /// The network's id.
    pub network: String,
    /// The network's name.
    pub network_name: String,
    /// The endpoint's id, 64 hex digits.
    pub id: String,
    /// What it is made of; addresses and ports are in here.
    pub plan: EndpointPlan,
    /// Its MAC address, once it is there.
    pub mac: String,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRecord {
    /// Its id, 64 hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The driver that planned it.
    pub driver: String,
    /// When it was made.
    pub created: Timestamp,
    /// What was asked.
    pub request: davit_model::network::NetworkRequest,
    /// What it is made of.
    pub plan: davit_model::network::NetworkPlan,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A named volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRecord {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Made for one container, without a name of its own.
    pub anonymous: bool,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A container whose run began and ended well at the same moment.
    pub(crate) fn ended() -> ContainerRecord {
        let now = Some(Timestamp::UNIX_EPOCH);
        let digest = format!("sha256:{}", "a".repeat(64));
        ContainerRecord {
            id: ContainerId::from_bytes(&[7; 32]),
            name: "one".parse().unwrap(),
            created: Timestamp::UNIX_EPOCH,
            caller: String::new(),
            spec: ContainerSpec::default(),
            image: digest.parse().unwrap(),
            image_manifest: None,
            process: ProcessRecord::default(),
            labels: BTreeMap::new(),
            exposed_ports: Vec::new(),
            driver: "d".to_owned(),
            root: RootPlan {
                steps: Vec::new(),
                mount: davit_model::storage::RootMount::Tree { at: "a".parse().unwrap(), writable: true },
                changes: None,
            },
            mounts: Vec::new(),
            state: State { status: Status::Exited, started: now, finished: now, ..State::default() },
            endpoint: None,
        }
    }
}
