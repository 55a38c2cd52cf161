//! Collection: marks from records, roots and leases; sweeps layers (through their drivers) and blobs. Never counts.

use crate::{
    db::Durability,
    error::{Result, StoreError},
    image::ImageRecord,
    layer::find,
    lease::now,
    steps::{Task, owned},
    store::Store,
};
use davit_model::{
    digest::Digest,
    state::Planned,
    storage::{Place, StorageDriver, StorageStep},
};
use rusqlite::Connection;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a collection did.
#[derive(Debug, Default)]
pub struct Collected {
    /// Blobs that are gone.
    pub blobs: Vec<Digest>,
    /// Layers that are gone: driver and chain id.
    pub layers: Vec<(String, Digest)>,
    /// Bytes of the blobs, and of the files in the layers.
    pub bytes: u64,
    /// What could not be removed; tried again next time.
    pub errors: Vec<StoreError>,
}

#[derive(Default)]
struct Marked {
    blobs: BTreeSet<Digest>,
    /// By driver; of images, whatever the driver.
    layers: BTreeSet<(String, Digest)>,
    images: BTreeSet<Digest>,
}

fn mark(c: &Connection) -> Result<Marked> {
    let mut marked = Marked::default();
    let damaged = |why: String| StoreError::Record { object: "an image".into(), why };
    let mut rows = c.prepare("SELECT record FROM image")?;
    for row in rows.query_map([], |r| r.get::<_, String>(0))? {
        let record: ImageRecord = serde_json::from_str(&row?).map_err(|e| damaged(e.to_string()))?;
        marked.blobs.insert(record.id);
        for manifest in record.manifests {
            marked.blobs.insert(manifest.digest);
            marked.blobs.extend(manifest.layers.into_iter().map(|l| l.digest));
        }
        marked.images.extend(record.chain_ids);
    }
    marked.blobs.extend(crate::held::held_in(c)?);
    for (driver, chain) in Store::roots_in(c)? {
        marked.layers.extend(chain.into_iter().map(|id| (driver.clone(), id)));
    }
    let mut rows = c.prepare("SELECT object FROM leased JOIN lease ON lease.id = lease WHERE expires > ?1")?;
    for row in rows.query_map([now()], |r| r.get::<_, String>(0))? {
        let object = row?;
        if let Some(digest) = object.strip_prefix("blob:").and_then(|d| d.parse().ok()) {
            marked.blobs.insert(digest);
        } else if let Some((driver, id)) = object.strip_prefix("layer:").and_then(|o| o.split_once(':'))
            && let Ok(id) = format!("sha256:{id}").parse()
        {
            marked.layers.insert((driver.to_owned(), id));
        }
    }
    Ok(marked)
}

/// All layers: by driver and chain id, the parent.
type Parents = BTreeMap<(String, Digest), Option<Digest>>;

fn layers(c: &Connection) -> Result<Parents> {
    let mut rows = c.prepare("SELECT driver, chain_id, parent FROM layer")?;
    let rows =
        rows.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?, r.get::<_, Option<String>>(2)?)))?;
    let mut all = BTreeMap::new();
    let damaged = |why: String| StoreError::Record { object: "a layer".into(), why };
    for row in rows {
        let (driver, id, parent) = row?;
        let id = id.parse().map_err(|e| damaged(format!("{e}")))?;
        let parent = parent.map(|p| p.parse().map_err(|e| damaged(format!("{e}")))).transpose()?;
        all.insert((driver, id), parent);
    }
    Ok(all)
}

/// What is swept, children before their parents; each with its whole chain, base first.
fn sweep_order(all: &Parents, marked: &Marked) -> Vec<(String, Vec<Digest>)> {
    let mut keep: BTreeSet<(String, Digest)> = BTreeSet::new();
    for (driver, id) in all.keys() {
        if marked.images.contains(id) || marked.layers.contains(&(driver.clone(), id.clone())) {
            // What stands on a layer keeps it.
            let mut next = Some(id.clone());
            while let Some(id) = next.filter(|id| keep.insert((driver.clone(), id.clone()))) {
                next = all.get(&(driver.clone(), id)).cloned().flatten();
            }
        }
    }
    let mut chains: Vec<(String, Vec<Digest>)> = Vec::new();
    for (driver, id) in all.keys().filter(|key| !keep.contains(*key)) {
        let mut chain = vec![id.clone()];
        while let Some(parent) = chain.last().and_then(|id| all.get(&(driver.clone(), id.clone())).cloned().flatten()) {
            if chain.len() > all.len() {
                break;
            }
            chain.push(parent);
        }
        chain.reverse();
        chains.push((driver.clone(), chain));
    }
    chains.sort_by_key(|(_, chain)| std::cmp::Reverse(chain.len()));
    chains
}

/// Takes a layer's record away, unless someone has come to need it since it was marked. From here on it is missing for
/// everybody, and its places are nobody's.
fn doom(c: &Connection, driver: &str, id: &Digest) -> Result<bool> {
    let marked = mark(c)?;
    let all = layers(c)?;
    let key = (driver.to_owned(), id.clone());
    let parent_of = all.iter().any(|((d, _), parent)| d == driver && parent.as_ref() == Some(id));
    if marked.images.contains(id) || marked.layers.contains(&key) || parent_of {
        return Ok(false);
    }
    c.execute("DELETE FROM layer WHERE driver = ?1 AND chain_id = ?2", [driver, &id.to_string()])?;
    Ok(true)
}

impl Store {
    /// Removes what no image, root or lease names. Layers of drivers that are not in `drivers` go without being asked for:
    /// what belongs to each is on record.
    pub async fn collect(&self, drivers: &[Arc<dyn StorageDriver>]) -> Result<Collected> {
        let (marked, all) = self.0.db.read(|c| Ok::<_, StoreError>((mark(c)?, layers(c)?))).await?;
        let mut done = Collected::default();
        for (name, chain) in sweep_order(&all, &marked) {
            let driver = drivers.iter().find(|d| d.name() == name);
            match self.remove_layer(&name, driver, &chain).await {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    done.bytes += bytes;
                    done.layers.extend(chain.last().map(|id| (name, id.clone())));
                }
                Err(e) => done.errors.push(e),
            }
        }
        // No lease begins between the second look and the removal.
        let _alone = self.0.collecting.write().await;
        let marked = self.0.db.read(mark).await?;
        let blobs = self.0.blobs.clone();
        let sweep = move || {
            for blob in blobs.list()?.into_iter().filter(|b| !marked.blobs.contains(&b.digest)) {
                match blobs.remove(&blob.digest) {
                    Ok(()) => {
                        done.bytes += blob.size;
                        done.blobs.push(blob.digest);
                    }
                    Err(e) => done.errors.push(e),
                }
            }
            match blobs.sweep_parts(&marked.blobs) {
                Ok(bytes) => done.bytes += bytes,
                Err(e) => done.errors.push(e),
            }
            Ok(done)
        };
        tokio::task::spawn_blocking(sweep).await.map_err(StoreError::join)?
    }

    /// Removes a layer as its driver says; what the driver's plan forgets goes, too, and all where there is no driver.
    /// Answers its size; none: it stays.
    async fn remove_layer(
        &self,
        name: &str,
        driver: Option<&Arc<dyn StorageDriver>>,
        chain: &[Digest],
    ) -> Result<Option<u64>> {
        let Some(id) = chain.last().cloned() else { return Ok(None) };
        let lock = self.lock(&format!("layer:{name}:{id}"));
        let _held = lock.lock().await;
        let area = self.area_of(name)?;
        let planned = match driver {
            Some(driver) => driver.remove_layer(&self.chain(name, chain).await?).await?,
            None => Planned::from(Vec::new()),
        };
        let Planned { plan: mut steps, state } = planned;
        let own = format!("layer:{}", id.hex());
        let (on, owner) = (name.to_owned(), own.clone());
        let take = move |c: &Connection| {
            let size = find(c, &on, &id)?.map_or(0, |layer| layer.size);
            Ok::<_, StoreError>(if doom(c, &on, &id)? { Some((owned(c, &on, &owner)?, size)) } else { None })
        };
        let Some((places, size)) = self.0.db.write(Durability::Full, take).await? else { return Ok(None) };
        let said = |at: &Place| steps.iter().any(|s| matches!(s, StorageStep::Discard { at: said } if said == at));
        let forgotten: Vec<_> = places.into_iter().filter(|at| !said(at)).collect();
        steps.extend(forgotten.into_iter().map(|at| StorageStep::Discard { at }));
        Task::begin(self, &area, own, steps, state).await?.commit(Durability::Normal, |_| Ok(())).await?;
        Ok(Some(size))
    }
}
