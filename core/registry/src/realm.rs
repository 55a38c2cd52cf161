//! Pinned realms: the token server that a registry named when an answer first worked is the one it must go on naming,
//! so that a registry that was taken over cannot send the caller's secret elsewhere.

use std::{collections::BTreeMap, fmt, sync::Mutex};

/// Remembers the realm of each registry. The engine may implement it over its database.
pub trait RealmPins: Send + Sync + fmt::Debug {
    /// The realm pinned for `registry` (`host[:port]`).
    fn pinned(&self, registry: &str) -> Option<String>;
    /// Pins `realm` for `registry`; called after the registry accepted a token that was made there.
    fn pin(&self, registry: &str, realm: &str);
}

/// Pins that live as long as this value.
#[derive(Debug, Default)]
pub struct MemoryPins(Mutex<BTreeMap<String, String>>);

impl RealmPins for MemoryPins {
    fn pinned(&self, registry: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).get(registry).cloned()
    }

    fn pin(&self, registry: &str, realm: &str) {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).insert(registry.to_owned(), realm.to_owned());
    }
}
