//! What plugins remember: small values by plugin and key, in `davit.db`.

use async_trait::async_trait;
use davit_model::error::PolicyError;
use davit_store::{Db, DbError, Durability};
use rusqlite::{OptionalExtension as _, params};
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
    /// Sets, or with `new` none removes, a value where it is still `expected`; says whether it was.
    async fn swap(
        &self,
        plugin: &str,
        key: &str,
        expected: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
    ) -> Result<bool, PolicyError>;
    /// Keys that begin with `prefix`, sorted.
    async fn keys(&self, plugin: &str, prefix: &str) -> Result<Vec<String>, PolicyError>;
    /// Bytes that the plugin keeps in all.
    async fn size(&self, plugin: &str) -> Result<u64, PolicyError>;
}

/// The table `plugin_state`.
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
        let get = self.0.read(move |c| {
            let mut query = c.prepare_cached("SELECT value FROM plugin_state WHERE plugin = ?1 AND key = ?2")?;
            Ok::<_, DbError>(query.query_row([plugin, key], |r| r.get(0)).optional()?)
        });
        get.await.map_err(failed)
    }

    async fn swap(
        &self,
        plugin: &str,
        key: &str,
        expected: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
    ) -> Result<bool, PolicyError> {
        let (plugin, key) = (plugin.to_owned(), key.to_owned());
        let swap = self.0.write(Durability::Normal, move |c| {
            let mut query = c.prepare_cached("SELECT value FROM plugin_state WHERE plugin = ?1 AND key = ?2")?;
            let found: Option<Vec<u8>> = query.query_row([&plugin, &key], |r| r.get(0)).optional()?;
            if found != expected {
                return Ok(false);
            }
            match new {
                Some(new) => c.execute(
                    "INSERT INTO plugin_state (plugin, key, value) VALUES (?1, ?2, ?3)
                     ON CONFLICT (plugin, key) DO UPDATE SET value = excluded.value",
                    params![plugin, key, new],
                )?,
                None => c.execute("DELETE FROM plugin_state WHERE plugin = ?1 AND key = ?2", [plugin, key])?,
            };
            Ok::<_, DbError>(true)
        });
        swap.await.map_err(failed)
    }

    async fn keys(&self, plugin: &str, prefix: &str) -> Result<Vec<String>, PolicyError> {
        let (plugin, prefix) = (plugin.to_owned(), prefix.to_owned());
        let keys = self.0.read(move |c| {
            let mut query = c.prepare_cached("SELECT key FROM plugin_state WHERE plugin = ?1 ORDER BY key")?;
            let keys = query.query_map([plugin], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            Ok::<_, DbError>(keys.into_iter().filter(|k| k.starts_with(&prefix)).collect())
        });
        keys.await.map_err(failed)
    }

    async fn size(&self, plugin: &str) -> Result<u64, PolicyError> {
        let plugin = plugin.to_owned();
        let size = self.0.read(move |c| {
            let sum = "SELECT coalesce(sum(length(key) + length(value)), 0) FROM plugin_state WHERE plugin = ?1";
            Ok::<_, DbError>(c.prepare_cached(sum)?.query_row([plugin], |r| r.get::<_, i64>(0))?)
        });
        size.await.map(|s| u64::try_from(s).unwrap_or(0)).map_err(failed)
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

    async fn swap(
        &self,
        plugin: &str,
        key: &str,
        expected: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
    ) -> Result<bool, PolicyError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (plugin.to_owned(), key.to_owned());
        if state.get(&at) != expected.as_ref() {
            return Ok(false);
        }
        match new {
            Some(new) => state.insert(at, new),
            None => state.remove(&at),
        };
        Ok(true)
    }

    async fn keys(&self, plugin: &str, prefix: &str) -> Result<Vec<String>, PolicyError> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(state.keys().filter(|(p, k)| p == plugin && k.starts_with(prefix)).map(|(_, k)| k.clone()).collect())
    }

    async fn size(&self, plugin: &str) -> Result<u64, PolicyError> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = state.iter().filter(|((p, _), _)| p == plugin);
        Ok(own.map(|((_, k), v)| (k.len() + v.len()) as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lives(state: &dyn PluginState) {
        assert!(state.swap("p", "k", None, Some(b"1".to_vec())).await.unwrap());
        assert!(!state.swap("p", "k", None, Some(b"2".to_vec())).await.unwrap(), "it is not as expected");
        assert_eq!(state.get("p", "k").await.unwrap().unwrap(), b"1");
        assert_eq!(state.get("q", "k").await.unwrap(), None, "each plugin has its own");
        assert_eq!(state.keys("p", "k").await.unwrap(), ["k"]);
        assert_eq!(state.size("p").await.unwrap(), 2);
        assert!(state.swap("p", "k", Some(b"1".to_vec()), None).await.unwrap());
        assert!(state.keys("p", "").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn values_change_only_from_what_was_expected() {
        lives(&Forgetful::default()).await;
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("d.db"), &[crate::tables::COMPONENT]).unwrap();
        lives(&SqlState::new(db)).await;
    }
}
