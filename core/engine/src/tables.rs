//! The engine's tables in `davit.db`. Records are JSON with the keys that are searched beside them.

use crate::{
    EngineError,
    record::{ContainerRecord, NetworkRecord, VolumeRecord},
};
use davit_store::db::{Component, Db, DbError, Durability};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) const COMPONENT: Component = Component {
    name: "engine",
    migrations: &[
        "CREATE TABLE containers (id TEXT PRIMARY KEY, record TEXT NOT NULL);
        CREATE TABLE networks (id TEXT PRIMARY KEY, record TEXT NOT NULL);
        CREATE TABLE volumes (id TEXT PRIMARY KEY, record TEXT NOT NULL);
        CREATE TABLE leases (kind TEXT NOT NULL, key TEXT NOT NULL, owner TEXT NOT NULL, PRIMARY KEY (kind, key));
        CREATE INDEX leases_by_owner ON leases (owner);
        CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);",
        "CREATE TABLE plugins (id TEXT PRIMARY KEY, record TEXT NOT NULL);
        CREATE TABLE components (id TEXT PRIMARY KEY, record TEXT NOT NULL);",
    ],
};

/// A record that has a table of its own.
pub(crate) trait Row: Serialize + DeserializeOwned + Send + 'static {
    const TABLE: &'static str;
    const DURABILITY: Durability;
    fn key(&self) -> &str;
}

impl Row for ContainerRecord {
    const TABLE: &'static str = "containers";
    const DURABILITY: Durability = Durability::Normal;
    fn key(&self) -> &str {
        self.id.as_str()
    }
}

impl Row for NetworkRecord {
    const TABLE: &'static str = "networks";
    const DURABILITY: Durability = Durability::Full;
    fn key(&self) -> &str {
        &self.id
    }
}

impl Row for VolumeRecord {
    const TABLE: &'static str = "volumes";
    const DURABILITY: Durability = Durability::Full;
    fn key(&self) -> &str {
        &self.name
    }
}

pub(crate) fn db_error(e: DbError) -> EngineError {
    EngineError::internal("davit.db", e)
}

/// A change of the tables, to be made in a transaction with others: all of them last, or none.
pub(crate) type Change = Box<dyn FnOnce(&Connection) -> Result<(), DbError> + Send>;

/// Writes a record, new or changed.
pub(crate) fn putting<R: Row>(row: &R) -> Result<Change, EngineError> {
    let json = serde_json::to_string(row).map_err(|e| EngineError::internal("writing a record", e))?;
    let key = row.key().to_owned();
    let sql =
        format!("INSERT INTO {} (id, record) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET record = ?2", R::TABLE);
    Ok(Box::new(move |c| Ok(c.prepare_cached(&sql)?.execute(params![key, json]).map(drop)?)))
}

/// Removes a record.
pub(crate) fn deleting<R: Row>(key: &str) -> Change {
    let key = key.to_owned();
    let sql = format!("DELETE FROM {} WHERE id = ?1", R::TABLE);
    Box::new(move |c| Ok(c.prepare_cached(&sql)?.execute([key]).map(drop)?))
}

/// Makes changes together.
pub(crate) async fn change(db: &Db, durability: Durability, changes: Vec<Change>) -> Result<(), EngineError> {
    let all = move |c: &Connection| changes.into_iter().try_for_each(|change| change(c));
    db.write(durability, all).await.map_err(db_error)
}

/// Writes a record, new or changed.
pub(crate) async fn put<R: Row>(db: &Db, row: &R) -> Result<(), EngineError> {
    change(db, R::DURABILITY, vec![putting(row)?]).await
}

/// Removes a record.
pub(crate) async fn delete<R: Row>(db: &Db, key: &str) -> Result<(), EngineError> {
    change(db, R::DURABILITY, vec![deleting::<R>(key)]).await
}

/// All records of a table.
pub(crate) async fn all<R: Row>(db: &Db) -> Result<Vec<R>, EngineError> {
    let sql = format!("SELECT record FROM {}", R::TABLE);
    let rows = db
        .read(move |c| {
            let mut query = c.prepare(&sql)?;
            let rows = query.query_map([], |r| r.get::<_, String>(0))?;
            Ok::<_, DbError>(rows.collect::<Result<Vec<_>, _>>()?)
        })
        .await
        .map_err(db_error)?;
    let read = |json: &String| {
        serde_json::from_str(json)
            .map_err(|e| EngineError::internal(&format!("a record of {} is damaged", R::TABLE), e))
    };
    rows.iter().map(read).collect()
}

/// A fact about this data root, made by `make` on first use.
pub(crate) async fn fact(db: &Db, key: &'static str, make: impl FnOnce() -> String) -> Result<String, EngineError> {
    let new = make();
    db.write(Durability::Full, move |c| {
        let found: Option<String> =
            c.query_row("SELECT value FROM facts WHERE key = ?1", [key], |r| r.get(0)).optional()?;
        if let Some(found) = found {
            return Ok(found);
        }
        c.execute("INSERT INTO facts (key, value) VALUES (?1, ?2)", params![key, new])?;
        Ok::<_, DbError>(new)
    })
    .await
    .map_err(db_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[tokio::test]
    async fn a_record_is_read_back_and_a_fact_stays() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("d.db"), &[COMPONENT]).unwrap();
        let volume = VolumeRecord {
            name: "data".into(),
            created: jiff::Timestamp::UNIX_EPOCH,
            labels: BTreeMap::new(),
            anonymous: false,
        };
        put(&db, &volume).await.unwrap();
        assert_eq!(all::<VolumeRecord>(&db).await.unwrap(), std::slice::from_ref(&volume));
        delete::<VolumeRecord>(&db, "data").await.unwrap();
        assert_eq!(all::<VolumeRecord>(&db).await.unwrap(), []);
        assert_eq!(fact(&db, "id", || "a".into()).await.unwrap(), "a");
        assert_eq!(fact(&db, "id", || "b".into()).await.unwrap(), "a");
    }
}
