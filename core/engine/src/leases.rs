//! Leases of addresses, subnets and ports as rows of `davit.db`.

use async_trait::async_trait;
use davit_model::error::PolicyError;
use davit_network::{Lease, LeaseKind, LeaseStore};
use davit_store::{Db, DbError, Durability};
use rusqlite::params;

/// The table `leases`.
#[derive(Clone, Debug)]
pub(crate) struct SqlLeases(pub(crate) Db);

fn word(kind: LeaseKind) -> &'static str {
    match kind {
        LeaseKind::Subnet => "subnet",
        LeaseKind::Address => "address",
        LeaseKind::Port => "port",
    }
}

fn kind(word: &str) -> Option<LeaseKind> {
    [LeaseKind::Subnet, LeaseKind::Address, LeaseKind::Port].into_iter().find(|k| self::word(*k) == word)
}

fn failed(e: DbError) -> PolicyError {
    PolicyError::Internal(format!("leases: {e}"))
}

#[async_trait]
impl LeaseStore for SqlLeases {
    async fn list(&self) -> Result<Vec<Lease>, PolicyError> {
        let rows = self.0.read(|c| {
            let mut query = c.prepare_cached("SELECT kind, key, owner FROM leases")?;
            let rows = query.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get(1)?, r.get(2)?)))?;
            Ok::<_, DbError>(rows.collect::<Result<Vec<_>, _>>()?)
        });
        let lease = |(word, key, owner): (String, String, String)| {
            let kind = kind(&word).ok_or_else(|| PolicyError::Internal(format!("a lease of unknown kind {word}")))?;
            Ok(Lease { kind, key, owner })
        };
        rows.await.map_err(failed)?.into_iter().map(lease).collect()
    }

    async fn insert(&self, lease: &Lease) -> Result<(), PolicyError> {
        let (kind, key, owner) = (word(lease.kind), lease.key.clone(), lease.owner.clone());
        let taken = format!("{key} is leased already");
        let inserted = self.0.write(Durability::Normal, move |c| {
            let n = c
                .prepare_cached("INSERT OR IGNORE INTO leases (kind, key, owner) VALUES (?1, ?2, ?3)")?
                .execute(params![kind, key, owner])?;
            Ok::<_, DbError>(n == 1)
        });
        if inserted.await.map_err(failed)? { Ok(()) } else { Err(PolicyError::Conflict(taken)) }
    }

    async fn delete(&self, leases: &[Lease]) -> Result<(), PolicyError> {
        let rows: Vec<(&str, String, String)> =
            leases.iter().map(|l| (word(l.kind), l.key.clone(), l.owner.clone())).collect();
        let delete = self.0.write(Durability::Normal, move |c| {
            let mut delete = c.prepare_cached("DELETE FROM leases WHERE kind = ?1 AND key = ?2 AND owner = ?3")?;
            for (kind, key, owner) in rows {
                delete.execute(params![kind, key, owner])?;
            }
            Ok::<_, DbError>(())
        });
        delete.await.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_leased_cannot_be_leased_again_until_it_is_freed() {
        let dir = tempfile::tempdir().unwrap();
        let leases = SqlLeases(Db::open(&dir.path().join("d.db"), &[crate::tables::COMPONENT]).unwrap());
        let lease = Lease { kind: LeaseKind::Port, key: "tcp/80/*".into(), owner: "one".into() };
        leases.insert(&lease).await.unwrap();
        let other = Lease { owner: "two".into(), ..lease.clone() };
        assert!(matches!(leases.insert(&other).await, Err(PolicyError::Conflict(_))));
        leases.delete(std::slice::from_ref(&other)).await.unwrap();
        assert_eq!(leases.list().await.unwrap(), std::slice::from_ref(&lease), "only its owner's row goes");
        leases.delete(std::slice::from_ref(&lease)).await.unwrap();
        leases.insert(&other).await.unwrap();
    }
}
