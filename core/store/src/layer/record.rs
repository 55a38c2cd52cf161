//! What is known of a layer that is there.

use crate::{
    error::{Result, StoreError},
    store::Store,
};
use davit_model::{
    digest::Digest,
    storage::{LayerChain, LayerRef, Place, StorageDriver},
};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

/// A committed layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRecord {
    /// Its chain id.
    pub chain_id: Digest,
    /// Digest of its uncompressed archive.
    pub diff_id: Digest,
    /// Where the driver has it.
    pub place: Place,
    /// Bytes of file content.
    pub size: u64,
}

/// The record of a chain id at a driver.
pub(crate) fn find(c: &Connection, driver: &str, chain_id: &Digest) -> Result<Option<LayerRecord>> {
    let mut row = c.prepare_cached("SELECT diff_id, place, size FROM layer WHERE driver = ?1 AND chain_id = ?2")?;
    let found: Option<(String, String, i64)> =
        row.query_row([driver, &chain_id.to_string()], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).optional()?;
    let Some((diff_id, place, size)) = found else { return Ok(None) };
    let damaged = |why: String| StoreError::Record { object: format!("layer {chain_id}"), why };
    Ok(Some(LayerRecord {
        chain_id: chain_id.clone(),
        diff_id: diff_id.parse().map_err(|e| damaged(format!("{e}")))?,
        place: place.parse().map_err(|e| damaged(format!("{e}")))?,
        size: u64::try_from(size).unwrap_or(0),
    }))
}

/// A chain as drivers see it, with the places of what is committed.
fn driver_chain(c: &Connection, driver: &str, chain: &[Digest]) -> Result<LayerChain> {
    let one = |id: &Digest| {
        Ok(LayerRef { chain_id: id.hex().to_owned(), place: find(c, driver, id)?.map(|layer| layer.place) })
    };
    Ok(LayerChain(chain.iter().map(one).collect::<Result<_>>()?))
}

impl Store {
    /// A layer's record at this driver, by chain id.
    pub async fn layer(&self, driver: &dyn StorageDriver, chain_id: &Digest) -> Result<Option<LayerRecord>> {
        let (driver, chain_id) = (driver.name().to_owned(), chain_id.clone());
        self.0.db.read(move |c| find(c, &driver, &chain_id)).await
    }

    /// How many layers a driver has.
    pub async fn layers_of(&self, driver: &str) -> Result<u64> {
        let driver = driver.to_owned();
        let count = move |c: &Connection| {
            let count =
                c.query_row("SELECT count(*) FROM layer WHERE driver = ?1", [driver], |r| r.get::<_, i64>(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        };
        self.0.db.read(count).await
    }

    /// Bytes of file content by chain id, of every layer that is there; with several drivers the largest.
    pub async fn layer_sizes(&self) -> Result<BTreeMap<Digest, u64>> {
        let list = |c: &Connection| {
            let mut rows = c.prepare_cached("SELECT chain_id, MAX(size) FROM layer GROUP BY chain_id")?;
            let rows = rows.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)))?;
            let damaged = |id: &str, why: String| StoreError::Record { object: format!("layer {id}"), why };
            rows.map(|row| {
                let (id, size) = row?;
                Ok((id.parse().map_err(|e| damaged(&id, format!("{e}")))?, u64::try_from(size).unwrap_or(0)))
            })
            .collect()
        };
        self.0.db.read(list).await
    }

    pub(crate) async fn chain(&self, driver: &str, chain: &[Digest]) -> Result<LayerChain> {
        let (driver, chain) = (driver.to_owned(), chain.to_vec());
        self.0.db.read(move |c| driver_chain(c, &driver, &chain)).await
    }
}
