//! Leases: what work in flight needs is kept from collection, also over a kill, until the lease ends or expires.

use crate::{
    db::{DbError, Durability},
    error::Result,
    store::Store,
};
use davit_model::digest::Digest;
use rusqlite::params;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How long a lease of a process that died keeps its blobs for the next try.
const VALID: Duration = Duration::from_secs(24 * 3600);

/// Keeps blobs and layers while an image is being made. End it with [`Lease::release`] once a record names them;
/// dropped without, what it keeps stays for a day, so that an interrupted pull can go on where it stopped: who begins
/// the same work again takes it over, in this daemon or in a later one. [`Store::end_abandoned_leases`] ends it before.
#[derive(Clone, Debug)]
pub struct Lease {
    store: Store,
    alive: Arc<Alive>,
}

/// The leases that somebody in this process holds.
pub(crate) type Held = Arc<Mutex<BTreeSet<i64>>>;

/// One of them; gone with its last clone.
#[derive(Debug)]
struct Alive {
    id: i64,
    held: Held,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// The set as a JSON array, for `json_each`.
pub(crate) fn shown(held: &Held) -> String {
    let ids: Vec<String> =
        held.lock().unwrap_or_else(PoisonError::into_inner).iter().map(ToString::to_string).collect();
    format!("[{}]", ids.join(","))
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl Store {
    /// A new lease; `what` says for which work, and is the same where that work is begun again.
    pub async fn lease(&self, what: &str) -> Result<Lease> {
        let what = what.to_owned();
        let expires = now().saturating_add(i64::try_from(VALID.as_secs()).unwrap_or(i64::MAX));
        let held = self.0.leases.clone();
        let alive = self.0.db.write(Durability::Normal, move |c| {
            let others = shown(&held);
            c.execute("INSERT INTO lease (what, expires) VALUES (?1, ?2)", params![what, expires])?;
            let id = c.last_insert_rowid();
            c.execute(
                "UPDATE OR IGNORE leased SET lease = ?1 WHERE lease IN (SELECT id FROM lease
                 WHERE what = ?2 AND id <> ?1 AND id NOT IN (SELECT value FROM json_each(?3)))",
                params![id, what, others],
            )?;
            c.execute(
                "DELETE FROM lease WHERE what = ?1 AND id <> ?2 AND id NOT IN (SELECT value FROM json_each(?3))",
                params![what, id, others],
            )?;
            // Still within the one writer's turn: the next lease of the same work sees this one as held.
            held.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
            Ok::<_, DbError>(Arc::new(Alive { id, held }))
        });
        Ok(Lease { store: self.clone(), alive: alive.await? })
    }

    /// Ends the leases that nobody holds, of work that was interrupted: what they keep can be collected.
    pub async fn end_abandoned_leases(&self) -> Result<()> {
        let held = self.0.leases.clone();
        let end = move |c: &rusqlite::Connection| {
            c.execute("DELETE FROM lease WHERE id NOT IN (SELECT value FROM json_each(?1))", [shown(&held)])?;
            Ok(())
        };
        self.0.db.write(Durability::Normal, end).await
    }
}

impl Lease {
    /// Keeps a blob.
    pub async fn add_blob(&self, digest: &Digest) -> Result<()> {
        self.add(format!("blob:{digest}")).await
    }

    pub(crate) async fn add_layer(&self, driver: &str, chain_id: &str) -> Result<()> {
        self.add(format!("layer:{driver}:{chain_id}")).await
    }

    async fn add(&self, object: String) -> Result<()> {
        let id = self.alive.id;
        let _shared = self.store.0.collecting.read().await;
        let add = move |c: &rusqlite::Connection| {
            c.execute("INSERT OR IGNORE INTO leased VALUES (?1, ?2)", params![id, object])?;
            Ok(())
        };
        self.store.0.db.write(Durability::Normal, add).await
    }

    /// Ends it: what no record names may be collected.
    pub async fn release(self) -> Result<()> {
        let id = self.alive.id;
        let end = move |c: &rusqlite::Connection| {
            c.execute("DELETE FROM lease WHERE id = ?1", [id])?;
            Ok(())
        };
        self.store.0.db.write(Durability::Normal, end).await
    }
}

#[cfg(test)]
mod tests {
    use crate::{error::StoreError, store::Store};
    use davit_model::digest::Digest;

    fn leased(store: &Store) -> i64 {
        let count = |c: &rusqlite::Connection| {
            Ok::<_, StoreError>(c.query_row("SELECT count(*) FROM leased", [], |row| row.get(0))?)
        };
        store.db().read_blocking(count).unwrap()
    }

    #[tokio::test]
    async fn what_interrupted_work_kept_is_taken_over_by_the_next_try_or_ended() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let blob = Digest::sha256(&[7; 32]);
        let first = store.lease("pull a").await.unwrap();
        first.add_blob(&blob).await.unwrap();
        drop(first);
        let second = store.lease("pull a").await.unwrap();
        assert_eq!(leased(&store), 1, "it went over");
        store.end_abandoned_leases().await.unwrap();
        assert_eq!(leased(&store), 1, "somebody holds it");
        let clone = second.clone();
        drop(second);
        store.end_abandoned_leases().await.unwrap();
        assert_eq!(leased(&store), 1, "a clone holds it");
        drop(clone);
        store.end_abandoned_leases().await.unwrap();
        assert_eq!(leased(&store), 0);
    }

    #[tokio::test]
    async fn half_a_blob_goes_with_its_lease_and_one_in_flight_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let parts = || std::fs::read_dir(dir.path().join("content/ingest")).unwrap().count();
        let lease = store.lease("pull a").await.unwrap();
        let mut writer = store.write_blob(&lease, &Digest::sha256(&[7; 32]), None).await.unwrap().unwrap();
        writer.write(b"the first half").unwrap();
        assert_eq!(store.collect(&[]).await.unwrap().bytes, 0, "it is in flight");
        drop((writer, lease));
        assert_eq!(store.collect(&[]).await.unwrap().bytes, 0, "it is kept for the next try");
        assert_eq!(parts(), 1);
        store.end_abandoned_leases().await.unwrap();
        assert_eq!(store.collect(&[]).await.unwrap().bytes, 14);
        assert_eq!(parts(), 0);
    }
}
