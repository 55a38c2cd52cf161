//! Leases: what work in flight needs is kept from collection, also over a kill, until the lease ends or expires.

use crate::{
    db::{DbError, Durability},
    error::Result,
    store::Store,
};
use davit_model::digest::Digest;
use rusqlite::params;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a lease of a process that died keeps its blobs for the next try.
const VALID: Duration = Duration::from_secs(24 * 3600);

/// Keeps blobs and layers while an image is being made. End it with [`Lease::release`] once a record names them;
/// dropped without, it stays for a day, so that an interrupted pull can go on where it stopped. What a daemon that died
/// has leased for the same work goes over to the one that begins it again.
#[derive(Clone, Debug)]
pub struct Lease {
    store: Store,
    id: i64,
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
        let inherited = self.0.inherited;
        let id = self.0.db.write(Durability::Normal, move |c| {
            c.execute("INSERT INTO lease (what, expires) VALUES (?1, ?2)", params![what, expires])?;
            let id = c.last_insert_rowid();
            c.execute(
                "UPDATE OR IGNORE leased SET lease = ?1 WHERE lease IN
                 (SELECT id FROM lease WHERE what = ?2 AND id <= ?3)",
                params![id, what, inherited],
            )?;
            c.execute("DELETE FROM lease WHERE what = ?1 AND id <= ?2", params![what, inherited])?;
            Ok::<_, DbError>(id)
        });
        Ok(Lease { store: self.clone(), id: id.await? })
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
        let id = self.id;
        let _shared = self.store.0.collecting.read().await;
        let add = move |c: &rusqlite::Connection| {
            c.execute("INSERT OR IGNORE INTO leased VALUES (?1, ?2)", params![id, object])?;
            Ok(())
        };
        self.store.0.db.write(Durability::Normal, add).await
    }

    /// Ends it: what no record names may be collected.
    pub async fn release(self) -> Result<()> {
        let id = self.id;
        let end = move |c: &rusqlite::Connection| {
            c.execute("DELETE FROM lease WHERE id = ?1", [id])?;
            Ok(())
        };
        self.store.0.db.write(Durability::Normal, end).await
    }
}
