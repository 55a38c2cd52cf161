//! What plugins remember: small values by plugin and key, in `davit.db`. Here for calls that plan nothing; what a plan
//! brings with it is written where the plan is journalled.

use async_trait::async_trait;
use davit_model::{
    error::PolicyError,
    state::{LARGEST_STATE, StateWrites},
};
use davit_store::{
    Db, DbError, Durability,
    db::state::{StateError, commit_in, get_in, keys_in},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

/// Durable values of plugins.
#[async_trait]
pub trait PluginState: Send + Sync + fmt::Debug {
    /// A value.
    async fn get(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, PolicyError>;
    /// Makes all changes, or none: `conflict` where a value is no longer as expected, `internal` where it is too much.
    async fn commit(&self, writes: &StateWrites) -> Result<(), PolicyError>;
    /// Keys that begin with `prefix`, sorted.
    async fn keys(&self, plugin: &str, prefix: &str) -> Result<Vec<String>, PolicyError>;
}

/// The table of the database.
#[derive(Clone, Debug)]
pub(crate) struct SqlState(Db);

impl SqlState {
    pub(crate) fn new(db: Db) -> Self {
        Self(db)
    }
}

fn failed(e: DbError) -> PolicyError {
    PolicyError::Internal(format!("plugin state: {e}"))
}

#[async_trait]
impl PluginState for SqlState {
    async fn get(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, PolicyError> {
        let (plugin, key) = (plugin.to_owned(), key.to_owned());
        self.0.read(move |c| get_in(c, &plugin, &key)).await.map_err(failed)
    }

    async fn commit(&self, writes: &StateWrites) -> Result<(), PolicyError> {
        let writes = writes.clone();
        let written = self.0.write(Durability::Normal, move |c| commit_in(c, &writes)).await;
        written.map_err(|e| match e {
            StateError::Db(e) => failed(e),
            // The port names plugin and call itself.
            StateError::Refused(e) => e.error,
        })
    }

    async fn keys(&self, plugin: &str, prefix: &str) -> Result<Vec<String>, PolicyError> {
        let (plugin, prefix) = (plugin.to_owned(), prefix.to_owned());
        self.0.read(move |c| keys_in(c, &plugin, &prefix)).await.map_err(failed)
    }
}

/// State that nobody keeps: for looking at a site's file without touching the data root.
#[derive(Debug, Default)]
pub struct Forgetful(Mutex<BTreeMap<(String, String), Vec<u8>>>);

#[async_trait]
impl PluginState for Forgetful {
    async fn get(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, PolicyError> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(state.get(&(plugin.to_owned(), key.to_owned())).cloned())
    }

    async fn commit(&self, writes: &StateWrites) -> Result<(), PolicyError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = state.clone();
        for write in &writes.writes {
            let at = (writes.plugin.clone(), write.key.clone());
            if next.get(&at) != write.expected.as_ref() {
                return Err(PolicyError::Conflict(format!("{:?} has changed meanwhile; try again", write.key)));
            }
            match write.new.clone() {
                Some(new) => next.insert(at, new),
                None => next.remove(&at),
            };
        }
        let own = next.iter().filter(|((plugin, _), _)| *plugin == writes.plugin);
        if own.map(|((_, key), value)| (key.len() + value.len()) as u64).sum::<u64>() > LARGEST_STATE {
            return Err(PolicyError::Internal(format!("a plugin's state has at most {LARGEST_STATE} bytes")));
        }
        *state = next;
        Ok(())
    }

    async fn keys(&self, plugin: &str, prefix: &str) -> Result<Vec<String>, PolicyError> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(state.keys().filter(|(p, k)| p == plugin && k.starts_with(prefix)).map(|(_, k)| k.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use davit_model::state::StateWrite;

    async fn lives(state: &dyn PluginState) {
        let change = |key: &str, expected: Option<&str>, new: Option<&str>| {
            let own = |value: Option<&str>| value.map(|v| v.as_bytes().to_vec());
            let write = StateWrite { key: key.to_owned(), expected: own(expected), new: own(new) };
            StateWrites { plugin: "p".to_owned(), writes: vec![write] }
        };
        state.commit(&change("k", None, Some("1"))).await.unwrap();
        let stale = state.commit(&change("k", None, Some("2"))).await;
        assert!(matches!(stale, Err(PolicyError::Conflict(_))), "{stale:?}");
        assert_eq!(state.get("p", "k").await.unwrap().unwrap(), b"1");
        assert_eq!(state.get("q", "k").await.unwrap(), None, "each plugin has its own");
        assert_eq!(state.keys("p", "k").await.unwrap(), ["k"]);
        let large = "x".repeat(usize::try_from(LARGEST_STATE).unwrap());
        assert!(state.commit(&change("large", None, Some(&large))).await.is_err());
        state.commit(&change("k", Some("1"), None)).await.unwrap();
        assert!(state.keys("p", "").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn values_change_only_from_what_was_expected() {
        lives(&Forgetful::default()).await;
        let dir = tempfile::tempdir().unwrap();
        lives(&SqlState::new(Db::open(&dir.path().join("d.db"), &[]).unwrap())).await;
    }
}
