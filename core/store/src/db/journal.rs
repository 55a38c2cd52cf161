//! The journal as a table. Rows are NORMAL: they survive a kill; after a power cut the next start reconciles.

use super::{Component, Db, DbError, Durability};
use async_trait::async_trait;
use davit_model::journal::{Entry, EntryId, Journal, JournalError};
use rusqlite::{Connection, params};

pub(super) const COMPONENT: Component = Component {
    name: "journal",
    migrations: &["CREATE TABLE journal (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,
        object TEXT NOT NULL, body TEXT NOT NULL)"],
};

/// [`Journal`] over the database.
#[derive(Clone, Debug)]
pub struct SqlJournal(Db);

impl SqlJournal {
    /// The journal of this database.
    pub fn new(db: Db) -> Self {
        Self(db)
    }
}

/// Writes an entry within a transaction of the caller's.
pub fn insert_in(conn: &Connection, entry: &Entry) -> Result<EntryId, DbError> {
    conn.prepare_cached("INSERT INTO journal (kind, object, body) VALUES (?1, ?2, ?3)")?.execute(params![
        entry.kind,
        entry.object,
        entry.body.to_string()
    ])?;
    Ok(EntryId(conn.last_insert_rowid()))
}

/// Replaces a body within a transaction of the caller's.
pub(crate) fn update_in(conn: &Connection, id: EntryId, body: &serde_json::Value) -> Result<(), DbError> {
    conn.prepare_cached("UPDATE journal SET body = ?2 WHERE id = ?1")?.execute(params![id.0, body.to_string()])?;
    Ok(())
}

/// Removes an entry within a transaction of the caller's: with the record that makes its work exist.
pub fn end_in(conn: &Connection, id: EntryId) -> Result<(), DbError> {
    conn.prepare_cached("DELETE FROM journal WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

fn failed(e: DbError) -> JournalError {
    JournalError(e.to_string())
}

#[async_trait]
impl Journal for SqlJournal {
    async fn begin(&self, entry: &Entry) -> Result<EntryId, JournalError> {
        let entry = entry.clone();
        self.0.write(Durability::Normal, move |c| insert_in(c, &entry)).await.map_err(failed)
    }

    async fn update(&self, id: EntryId, body: &serde_json::Value) -> Result<(), JournalError> {
        let body = body.clone();
        self.0.write(Durability::Normal, move |c| update_in(c, id, &body)).await.map_err(failed)
    }

    async fn end(&self, id: EntryId) -> Result<(), JournalError> {
        self.0.write(Durability::Normal, move |c| end_in(c, id)).await.map_err(failed)
    }

    async fn open(&self) -> Result<Vec<(EntryId, Entry)>, JournalError> {
        let rows = self.0.read(|c| {
            let mut rows = c.prepare("SELECT id, kind, object, body FROM journal ORDER BY id")?;
            let rows = rows.query_map([], |r| {
                Ok((EntryId(r.get(0)?), r.get::<_, String>(1)?, r.get::<_, String>(2)?, r.get::<_, String>(3)?))
            })?;
            Ok::<_, DbError>(rows.collect::<Result<Vec<_>, _>>()?)
        });
        let entry = |(id, kind, object, body): (EntryId, String, String, String)| {
            let body = serde_json::from_str(&body)
                .map_err(|e| JournalError(format!("entry {} of kind {kind} is damaged: {e}", id.0)))?;
            Ok((id, Entry { kind, object, body }))
        };
        rows.await.map_err(failed)?.into_iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_entry_is_there_until_it_ends_even_over_a_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.db");
        let entry = |n: i64| Entry { kind: "test".into(), object: "o".into(), body: serde_json::json!({ "n": n }) };
        let journal = SqlJournal::new(Db::open(&path, &[]).unwrap());
        let a = journal.begin(&entry(1)).await.unwrap();
        let b = journal.begin(&entry(2)).await.unwrap();
        journal.update(b, &entry(3).body).await.unwrap();
        journal.end(a).await.unwrap();
        drop(journal);
        let journal = SqlJournal::new(Db::open(&path, &[]).unwrap());
        assert_eq!(journal.open().await.unwrap(), vec![(b, entry(3))]);
    }
}
