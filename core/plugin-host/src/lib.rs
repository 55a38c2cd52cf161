//! The plugin host: loads components, gives them what they were granted and not more, calls them, and turns what they
//! recorded into the plans of `core/model`. It does not know what the answers are for.
//!
//! A walk: [`PluginHost::load`] finds the manifest in its custom section (`section`, [`Manifest`]), holds the operator's
//! [`Grant`] against the component's digest, compiles it once (`compile`), links it against the contract
//! (`contract/v0_1`) and hollow WASI (`wasi`), and probes its exports ([`Plugin`]). A port (`ports`) turns a request
//! into handles and makes a `call`: a fresh store and instance in a task of its own, watched by a deadline (`control`)
//! and an epoch clock (`ticker`). Host functions record steps in `context`; what was recorded becomes a plan when the
//! export answered ok.

pub mod apart;
mod ask;
mod call;
mod compile;
mod compiled;
mod component;
pub mod conformance;
mod context;
mod contract;
mod control;
mod counts;
pub mod coverage;
mod engine;
mod error;
mod forms;
mod grant;
mod hmac;
mod host;
mod leases;
mod limiter;
mod limits;
mod machine;
mod manifest;
mod origin;
mod plugin;
mod ports;
mod question;
mod rights;
mod scope;
mod secret;
mod section;
mod ticker;
mod wasi;
pub mod words;

pub use ask::Ask;
pub use compile::{CompilerProgram, compile_in_child, compile_stdin};
pub use component::read as read_component;
pub use counts::{Counted, Counter};
pub use error::LoadError;
pub use grant::Grant;
pub use host::{HostOptions, PluginHost, Source};
pub use limits::{Bytes, Limits, Span, Wanted};
pub use manifest::{Identity, Manifest};
pub use plugin::{Plugin, PluginInfo};
pub use question::{AuthCall, Lending, LifecycleCall, NetworkCall, Question, Reply, StorageCall};
