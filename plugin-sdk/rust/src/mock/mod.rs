//! A host made of memory, for native `cargo test`: everywhere but on WebAssembly it stands in the place of the contract's
//! imports, under the same names. What the engine would give to a plugin is put together here, what the plugin records is
//! kept to be compared, and what the real host refuses at once is refused with the same error.
//!
//! ```
//! use davit_plugin_sdk::{mock::{Site, json, lifecycle::Asked}, lifecycle::*, host::config};
//!
//! struct NoRoot;
//!
//! impl Admit for NoRoot {
//!     fn admit(operation: &Operation) -> Result<()> {
//!         match config::get("root")?.as_deref() {
//!             Some("never") if operation.field("/user").is_none() => Err(Error::Denied("run as a user".to_owned())),
//!             _ => Ok(()),
//!         }
//!     }
//! }
//!
//! let site = Site::new();
//! let create = Operation::from(Asked { kind: "container.create".to_owned(), ..Asked::default() });
//! assert_eq!(NoRoot::admit(&create), Ok(()));
//! site.config(json!({"root": "never"}));
//! assert_eq!(NoRoot::admit(&create), Err(Error::Denied("run as a user".to_owned())));
//! ```
//!
//! It is no conformance suite: it does not know the core's checks of a whole plan, has no deadline and no memory limit,
//! and keeps what is written to `state` at once. That is what `davit plugin test` is for.

pub mod auth;
pub mod clock;
pub mod config;
pub mod http;
pub mod lifecycle;
pub mod log;
pub mod network;
mod origin;
pub mod secrets;
mod site;
pub mod state;
pub mod storage;
mod subnets;
pub mod types;

pub use http::{Authorization, Body, Reply, Sent};
pub use serde_json::{Value, json};
pub use site::Site;
