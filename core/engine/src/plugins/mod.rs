//! Installed plugins: what an operator brought, granted and enabled, and how one version takes another's place.
//!
//! A walk. `component` brings a component into the store, from a registry or as bytes (`artifact` is its form as an OCI
//! artifact), and has the loader look at it; nothing is granted. `install` makes a [`record`] of it, `upgrade` puts a new
//! version into force or holds it until `grant` gives what more it asks for, and goes back by itself where the new one
//! does not answer; `rollback` goes back by hand, with what the plugin remembered. Each of them ends in `switch`: the whole
//! policy is loaded and probed with the change, written down, and swapped in; calls in flight end on the old one.
//!
//! What a component is, the loader knows; this is about digests, words and records.

mod artifact;
mod component;
mod enable;
mod grant;
mod install;
mod list;
mod push;
pub mod record;
mod remove;
mod rollback;
mod switch;
mod upgrade;

pub(crate) use artifact::is_one as is_artifact;
pub use grant::Granting;
pub use install::InstallRequest;
pub(crate) use install::asked_for;
pub use list::PluginDetails;
pub(crate) use switch::installed;
pub use switch::installed_at;

use davit_model::{digest::Digest, id::Caller, lifecycle::Operation};
use std::collections::BTreeMap;

/// The largest component that is taken.
pub const LARGEST_COMPONENT: u64 = 64 << 20;

/// An operation on a plugin, for the lifecycle chain: a site decides who may change its policy, too.
fn plugin_operation(kind: &str, caller: &Caller, name: &str, component: Option<&Digest>) -> Operation {
    Operation {
        kind: kind.into(),
        caller: caller.clone(),
        image: None,
        image_digest: None,
        labels: BTreeMap::new(),
        privileged: false,
        request: serde_json::json!({ "plugin": name, "component": component.map(ToString::to_string) }),
    }
}
