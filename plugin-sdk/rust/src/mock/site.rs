//! The site around a plugin under test. The contract's functions that belong to no handle (`config::get`, `secrets::named`)
//! are plain functions, so the site is the thread's: each test runs in a thread of its own, and makes its own.

use super::{
    auth::Login,
    http::{Reply, Sent},
    log::Level,
    secrets::{Credential, Secret},
    types::Error,
};
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
};

/// What the thread's site is.
#[derive(Debug, Default)]
pub(super) struct Around {
    pub(super) section: Value,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) stored: BTreeMap<String, Credential>,
    pub(super) state: BTreeMap<String, Vec<u8>>,
    pub(super) refused: BTreeSet<String>,
    pub(super) now_ms: u64,
    pub(super) script: Vec<(String, String, Reply)>,
    pub(super) sent: Vec<Sent>,
    pub(super) lines: Vec<(Level, String)>,
    pub(super) challenge: Option<Login>,
}

thread_local! {
    static AROUND: RefCell<Around> = RefCell::default();
}

/// Looks at the thread's site.
pub(super) fn around<T>(look: impl FnOnce(&mut Around) -> T) -> T {
    AROUND.with_borrow_mut(look)
}

/// Whether a right was left to the plugin; refused as the real host refuses it.
pub(super) fn right(key: &str, what: &str) -> Result<(), Error> {
    if around(|site| site.refused.contains(key)) {
        return Err(Error::Denied(format!(
            "{what} (grant {key:?} missing: the manifest must ask for it, and the site must give it)"
        )));
    }
    Ok(())
}

/// A site of one plugin, empty at first: no section, no secrets, no state, nobody who answers, and all rights granted.
/// It is the thread's until it is dropped.
#[derive(Debug)]
#[must_use = "the site is there for as long as this"]
pub struct Site {
    /// A site stays in its thread.
    thread: PhantomData<*const ()>,
}

impl Site {
    /// A site with nothing in it. One that the thread had before is gone.
    #[expect(clippy::new_without_default, reason = "it takes the thread's place, which a default should not")]
    pub fn new() -> Self {
        around(|site| *site = Around::default());
        Self { thread: PhantomData }
    }

    /// The plugin's section of the site's file, `[plugins.NAME.config]`, as JSON.
    pub fn config(&self, section: Value) {
        around(|site| site.section = section);
    }

    /// A secret of the site's `[secrets]`.
    pub fn secret(&self, name: &str, value: &str) {
        around(|site| site.secrets.insert(name.to_owned(), Secret::named(value)));
    }

    /// What the credential file holds for a registry.
    pub fn stored(&self, server: &str, credential: Credential) {
        around(|site| site.stored.insert(server.to_owned(), credential));
    }

    /// A value of the plugin's state.
    pub fn state(&self, key: &str, value: &[u8]) {
        around(|site| site.state.insert(key.to_owned(), value.to_vec()));
    }

    /// All that is in the plugin's state.
    pub fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        around(|site| site.state.clone())
    }

    /// What time it is, in milliseconds since 1970-01-01 UTC.
    pub fn now_ms(&self, now: u64) {
        around(|site| site.now_ms = now);
    }

    /// Takes a right away, by its key in the manifest: `http`, `secrets`, `credentials`, `state`, `mirrors`, `interfaces`,
    /// `host-network`, `adjust`, `secret-files`.
    pub fn refuse(&self, right: &str) {
        around(|site| site.refused.insert(right.to_owned()));
    }

    /// What is answered to the next request of this method to exactly this URL. Each answer serves once, in order; a
    /// request that none is left for is `unavailable`.
    pub fn answers(&self, method: &str, url: &str, reply: Reply) {
        around(|site| site.script.push((method.to_owned(), url.to_owned(), reply)));
    }

    /// The requests that the plugin sent.
    pub fn sent(&self) -> Vec<Sent> {
        around(|site| site.sent.clone())
    }

    /// The lines that the plugin logged.
    pub fn lines(&self) -> Vec<(Level, String)> {
        around(|site| site.lines.clone())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        around(|site| *site = Around::default());
    }
}
