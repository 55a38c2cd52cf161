//! What plugins keep, as a table: here and not at the engine's, because it is written in the same transactions as the
//! journal, the store's own entries among them.

use super::{Component, DbError};
use davit_model::{
    error::{PolicyError, PortError},
    state::{LARGEST_STATE, StateWrites},
};
use rusqlite::{Connection, OptionalExtension as _, params};

pub(super) const COMPONENT: Component = Component {
    name: "plugin-state",
    migrations: &[
        "CREATE TABLE IF NOT EXISTS plugin_state (plugin TEXT NOT NULL, key TEXT NOT NULL,
        value BLOB NOT NULL, PRIMARY KEY (plugin, key))",
        "CREATE TABLE plugin_state_kept (plugin TEXT NOT NULL, version TEXT NOT NULL, key TEXT NOT NULL,
        value BLOB NOT NULL, PRIMARY KEY (plugin, version, key))",
    ],
};

/// Why state was not written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StateError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// It is not as the plugin saw it, or it is too much.
    #[error(transparent)]
    Refused(#[from] PortError),
}

/// A value.
pub fn get_in(c: &Connection, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, DbError> {
    let mut query = c.prepare_cached("SELECT value FROM plugin_state WHERE plugin = ?1 AND key = ?2")?;
    Ok(query.query_row([plugin, key], |r| r.get(0)).optional()?)
}

/// Keys that begin with `prefix`, sorted.
pub fn keys_in(c: &Connection, plugin: &str, prefix: &str) -> Result<Vec<String>, DbError> {
    let mut query = c.prepare_cached("SELECT key FROM plugin_state WHERE plugin = ?1 ORDER BY key")?;
    let keys = query.query_map([plugin], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(keys.into_iter().filter(|k| k.starts_with(prefix)).collect())
}

/// Makes all changes, within a transaction of the caller's, who must let it fail where this does.
pub fn commit_in(c: &Connection, state: &StateWrites) -> Result<(), StateError> {
    if state.writes.is_empty() {
        return Ok(());
    }
    let refused = |error| Err(PortError::new(state.plugin.as_str(), "state", error).into());
    let put = "INSERT INTO plugin_state (plugin, key, value) VALUES (?1, ?2, ?3)
        ON CONFLICT (plugin, key) DO UPDATE SET value = excluded.value";
    for write in &state.writes {
        if get_in(c, &state.plugin, &write.key)? != write.expected {
            return refused(PolicyError::Conflict(format!("{:?} has changed meanwhile; try again", write.key)));
        }
        let done = match &write.new {
            Some(new) => c.execute(put, params![state.plugin, write.key, new]),
            None => c.execute("DELETE FROM plugin_state WHERE plugin = ?1 AND key = ?2", [&state.plugin, &write.key]),
        };
        done.map_err(DbError::from)?;
    }
    let sum = "SELECT coalesce(sum(length(key) + length(value)), 0) FROM plugin_state WHERE plugin = ?1";
    let size: i64 = c.query_row(sum, [&state.plugin], |r| r.get(0)).map_err(DbError::from)?;
    if u64::try_from(size).unwrap_or(0) > LARGEST_STATE {
        return refused(PolicyError::Internal(format!("a plugin's state has at most {LARGEST_STATE} bytes")));
    }
    Ok(())
}

/// Keeps a copy of all that a plugin remembers, as that of one of its versions. Within a transaction of the caller's.
pub fn keep_in(c: &Connection, plugin: &str, version: &str) -> Result<(), DbError> {
    c.execute("DELETE FROM plugin_state_kept WHERE plugin = ?1 AND version = ?2", [plugin, version])?;
    let copy = "INSERT INTO plugin_state_kept (plugin, version, key, value)
        SELECT plugin, ?2, key, value FROM plugin_state WHERE plugin = ?1";
    c.execute(copy, [plugin, version])?;
    Ok(())
}

/// The plugin remembers what was kept of that version, and nothing else; the copy is gone. Within a transaction of the
/// caller's.
pub fn bring_back_in(c: &Connection, plugin: &str, version: &str) -> Result<(), DbError> {
    c.execute("DELETE FROM plugin_state WHERE plugin = ?1", [plugin])?;
    let copy = "INSERT INTO plugin_state (plugin, key, value)
        SELECT plugin, key, value FROM plugin_state_kept WHERE plugin = ?1 AND version = ?2";
    c.execute(copy, [plugin, version])?;
    c.execute("DELETE FROM plugin_state_kept WHERE plugin = ?1 AND version = ?2", [plugin, version])?;
    Ok(())
}

/// What was kept of versions that are not among these is gone. Within a transaction of the caller's.
pub fn forget_but_in(c: &Connection, plugin: &str, versions: &[&str]) -> Result<(), DbError> {
    let kept = serde_json::to_string(versions).unwrap_or_else(|_| "[]".to_owned());
    let others = "DELETE FROM plugin_state_kept
        WHERE plugin = ?1 AND version NOT IN (SELECT value FROM json_each(?2))";
    c.execute(others, [plugin, &kept])?;
    Ok(())
}

/// All that a plugin remembers is gone, and all that was kept of it. Within a transaction of the caller's.
pub fn forget_all_in(c: &Connection, plugin: &str) -> Result<(), DbError> {
    c.execute("DELETE FROM plugin_state WHERE plugin = ?1", [plugin])?;
    forget_but_in(c, plugin, &[])
}

#[cfg(test)]
mod tests {
    use super::super::{Db, Durability};
    use super::*;
    use davit_model::state::StateWrite;

    /// Key, what is expected, what is new.
    type Change<'a> = (&'a str, Option<&'a [u8]>, Option<&'a [u8]>);

    fn writes(writes: &[Change<'_>]) -> StateWrites {
        let own = |value: &Option<&[u8]>| value.map(<[u8]>::to_vec);
        let write = |(key, expected, new): &Change<'_>| StateWrite {
            key: (*key).into(),
            expected: own(expected),
            new: own(new),
        };
        StateWrites { plugin: "p".into(), writes: writes.iter().map(write).collect() }
    }

    #[tokio::test]
    async fn all_changes_of_a_call_are_made_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("d.db"), &[]).unwrap();
        let commit = |state: StateWrites| db.write(Durability::Normal, move |c| commit_in(c, &state));
        commit(writes(&[("a", None, Some(b"1")), ("b", None, Some(b"2"))])).await.unwrap();
        let late = commit(writes(&[("a", Some(b"1"), None), ("b", Some(b"1"), Some(b"3"))])).await;
        assert!(matches!(late, Err(StateError::Refused(e)) if e.to_string().contains("\"b\" has changed")));
        let large = vec![0; usize::try_from(LARGEST_STATE).unwrap()];
        assert!(commit(writes(&[("a", Some(b"1"), None), ("c", None, Some(&large))])).await.is_err());
        let seen =
            db.read_blocking(|c| Ok::<_, DbError>((keys_in(c, "p", "")?, get_in(c, "p", "b")?, get_in(c, "q", "b")?)));
        assert_eq!(seen.unwrap(), (vec!["a".to_owned(), "b".to_owned()], Some(b"2".to_vec()), None));
        commit(writes(&[("a", Some(b"1"), None)])).await.unwrap();
        assert_eq!(db.read_blocking(|c| keys_in(c, "p", "")).unwrap(), ["b"]);
    }

    #[tokio::test]
    async fn what_a_version_remembered_comes_back_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("d.db"), &[]).unwrap();
        let seen = || db.read_blocking(|c| Ok::<_, DbError>((get_in(c, "p", "a")?, keys_in(c, "p", "")?))).unwrap();
        let commit = |state: StateWrites| db.write(Durability::Normal, move |c| commit_in(c, &state));
        commit(writes(&[("a", None, Some(b"1"))])).await.unwrap();
        db.write(Durability::Full, |c| keep_in(c, "p", "old")).await.unwrap();
        commit(writes(&[("a", Some(b"1"), Some(b"2")), ("b", None, Some(b"new"))])).await.unwrap();
        db.write(Durability::Full, |c| bring_back_in(c, "p", "old")).await.unwrap();
        assert_eq!(seen(), (Some(b"1".to_vec()), vec!["a".to_owned()]));
        db.write(Durability::Full, |c| keep_in(c, "p", "old")).await.unwrap();
        db.write(Durability::Full, |c| forget_but_in(c, "p", &["other"])).await.unwrap();
        db.write(Durability::Full, |c| bring_back_in(c, "p", "old")).await.unwrap();
        assert_eq!(seen(), (None, vec![]), "nothing was kept");
    }
}
