//! The engine: containers, images, networks and their policy, without a word of HTTP or WebAssembly.
//!
//! A walk. [`Engine`] is what the API holds: cheap to clone, one async method a verb, one file a verb (`create.rs`,
//! `start.rs`, …: the same file names as in `core/api` and `cli`). [`record`] is what is durable of a container;
//! `container` is the same in memory, with its one transition at a time; `tables` keeps both in `davit.db`.
//! [`site`] reads the site's file, `accept` says whether it can be in force, [`policy`] holds the ports that it chose: a
//! reload swaps them as a whole. `spec` turns
//! a record into what the runtime launches; `supervise` follows a running container to its end; `reaper` takes down what
//! need not be waited for; `recover` is what a new daemon does first. `pull` and `push` join the registry to the store.
//! [`plugins`] is how a site's own plugins come, are granted, and take one another's place.

mod abilities;
mod accept;
mod attach;
mod auth_rule;
mod build;
mod container;
mod cpus;
mod create;
mod engine;
mod error;
mod events;
mod exec;
mod exec_root;
mod fetch;
mod files;
mod fill;
mod images;
mod info;
mod inspect;
mod kill;
mod labels;
mod launch;
mod leases;
mod lifecycle;
mod list;
mod log_watch;
mod login;
mod logs;
mod names;
mod networks;
mod observers;
mod own_volumes;
mod pause;
mod plugin_state;
pub mod plugins;
pub mod policy;
mod polled;
mod progress;
mod prune;
mod pull;
mod push;
mod reaper;
pub mod record;
mod recover;
mod reload;
mod remove;
mod rename;
mod resize;
mod resolver;
mod restart;
pub mod site;
mod spec;
mod start;
mod stats;
mod stop;
mod streams;
mod supervise;
mod sysctls;
mod tables;
mod top;
mod unmet;
mod update;
pub mod verdict;
mod volumes;
mod wait;
mod zones;

pub use abilities::Machine;
pub use attach::{AttachOptions, Attached, Output, StdinSink};
pub use build::{BuildLine, BuildOptions, BuildStream};
pub use create::Created;
pub use davit_runtime::cgroup::Stats as Usage;
pub use engine::{Engine, EngineOptions};
pub use error::{EngineError, Kind};
pub use events::{EventFilter, EventStream};
pub use exec::{ExecDetails, ExecOptions};
pub use images::{HistoryItem, ImageDetails, ImageFilter, ImageSummary, Removed};
pub use info::{Info, Version};
pub use inspect::{ContainerDetails, EndpointDetails, NetworkDetails, VolumeDetails};
pub use labels::{PruneFilter, has_label};
pub use list::{ListFilter, PortFilter};
pub use logs::{LogOptions, LogStream};
pub use plugin_state::{Forgetful, PluginState};
pub use progress::{Progress, ProgressStream};
pub use prune::Pruned;
pub use remove::RemoveOptions;
pub use stats::{INTERVAL, Reading, Traffic};
pub use stop::StopOptions;
pub use update::UpdateOptions;
pub use wait::{WaitCondition, WaitResult};
