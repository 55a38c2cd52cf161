//! Where leases are written down. The engine implements it over its database.

use async_trait::async_trait;
use davit_model::error::PolicyError;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

/// What is leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseKind {
    /// A subnet; the key is its CIDR.
    Subnet,
    /// An address; the key is the address.
    Address,
    /// A port of the host; the key is `protocol/port/address`, with `*` for all addresses.
    Port,
}

/// A row: what is leased to whom. Kind and key together are unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// What it is.
    pub kind: LeaseKind,
    /// Which one.
    pub key: String,
    /// The network's or endpoint's id.
    pub owner: String,
}

/// Durable rows of leases.
#[async_trait]
pub trait LeaseStore: Send + Sync + fmt::Debug {
    /// All rows.
    async fn list(&self) -> Result<Vec<Lease>, PolicyError>;
    /// Adds a row; `conflict` where kind and key are there.
    async fn insert(&self, lease: &Lease) -> Result<(), PolicyError>;
    /// Removes rows; those that are not there are done.
    async fn delete(&self, leases: &[Lease]) -> Result<(), PolicyError>;
}

/// Leases that live as long as the process: for tests, and for daemons that keep nothing.
#[derive(Debug, Default)]
pub struct MemoryLeases(Mutex<Vec<Lease>>);

#[async_trait]
impl LeaseStore for MemoryLeases {
    async fn list(&self) -> Result<Vec<Lease>, PolicyError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn insert(&self, lease: &Lease) -> Result<(), PolicyError> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.iter().any(|row| row.kind == lease.kind && row.key == lease.key) {
            return Err(PolicyError::Conflict(format!("{} is leased", lease.key)));
        }
        rows.push(lease.clone());
        Ok(())
    }

    async fn delete(&self, leases: &[Lease]) -> Result<(), PolicyError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|row| !leases.contains(row));
        Ok(())
    }
}
