//! What the author of a Davit plugin in Rust sees: a trait for each kind of plugin, and [`export!`].
//!
//! A plugin is one file. It implements the trait of its kind and says so:
//!
//! ```ignore
//! use davit_plugin_sdk::network::*;
//!
//! struct Nothing;
//!
//! impl NetworkDriver for Nothing {
//!     fn plan_network(_: &NetworkRequest, _: &NetworkPlan) -> Result<()> {
//!         Ok(())
//!     }
//!     fn plan_endpoint(_: &EndpointRequest, _: &NetworkView, _: &EndpointPlan) -> Result<()> {
//!         Ok(())
//!     }
//! }
//!
//! davit_plugin_sdk::export!(network: Nothing);
//! ```
//!
//! [`storage`], [`network`], [`auth`] and [`lifecycle`] are the kinds; [`host`] is what every plugin may ask of the
//! engine; [`login`] answers a registry's challenges as everybody does, [`pattern`] and [`size`] read names and sizes as
//! the site's file has them. The prose of every function is that of `wit/`. A plugin runs in a fresh instance for each
//! call: it has no state but what it puts into [`host::state`].
//!
//! `cargo test` runs a plugin's functions natively, against the host of [`mock`].

pub mod auth;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
#[allow(missing_docs, missing_debug_implementations, unreachable_pub, reason = "generated from wit/")]
pub mod bindings;
mod error;
mod export;
pub mod host;
mod imported;
pub mod lifecycle;
pub mod login;
#[cfg(not(target_arch = "wasm32"))]
pub mod mock;
pub mod network;
pub mod pattern;
pub mod size;
pub mod storage;

pub use error::{Error, Result, Unavailability, said};
