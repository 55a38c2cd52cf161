//! Containers' roots: what the driver's plan made, kept until the container goes.

use crate::{
    area::Area,
    db::{DbError, Durability},
    error::{Result, StoreError},
    layer::chain_ids,
    lease::Lease,
    steps::{Task, owned},
    store::Store,
};
use davit_model::{
    digest::Digest,
    id::ContainerId,
    state::{Planned, StateWrites},
    storage::{Place, RootMount, RootPlan, StorageDriver, StorageStep},
};
use rusqlite::{Connection, OptionalExtension, params};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A root that is ready to be mounted.
#[derive(Clone, Debug)]
pub struct PreparedRoot {
    /// What is mounted; its steps are done.
    pub plan: RootPlan,
    /// Where its places are.
    pub area: Area,
}

fn owner(container: &ContainerId) -> String {
    format!("root:{container}")
}

/// Every place that a mount names.
fn places(mount: &RootMount) -> (Vec<&Place>, Vec<&Place>) {
    match mount {
        RootMount::Overlay { lower, upper, work } => (lower.iter().collect(), upper.iter().chain(work).collect()),
        RootMount::Tree { at, writable: true } => (Vec::new(), vec![at]),
        RootMount::Tree { at, writable: false } | RootMount::Image { at, .. } => (vec![at], Vec::new()),
    }
}

/// What is written must be the container's own; what is read must be its own or a layer of its chain.
pub(crate) fn check_mount(plan: &RootPlan, own: &BTreeSet<Place>, layers: &BTreeSet<Place>) -> Result<(), String> {
    let (read, written) = places(&plan.mount);
    if let Some(foreign) = written.iter().find(|p| !own.contains(p)) {
        return Err(format!("its mount writes to {foreign}, which the container does not own"));
    }
    if let Some(foreign) = read.iter().find(|p| !own.contains(p) && !layers.contains(p)) {
        return Err(format!("its mount reads {foreign}, which is no layer of the image"));
    }
    match &plan.changes {
        Some((place, _)) if !own.contains(place) => {
            Err(format!("its changes are in {place}, which the container does not own"))
        }
        _ => Ok(()),
    }
}

type Row = (String, String, String);

fn row(c: &Connection, container: &ContainerId) -> Result<Option<Row>> {
    let mut row = c.prepare_cached("SELECT driver, chain, plan FROM root WHERE container = ?1")?;
    Ok(row.query_row([container.as_str()], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).optional()?)
}

impl Store {
    /// Makes a container's root on top of layers that are all there (`diff_ids`, base first; empty for an empty
    /// image). A root that is there is answered as it is. Until [`Store::finish_root`], a restart takes it for garbage.
    pub async fn prepare_root(
        &self,
        driver: &Arc<dyn StorageDriver>,
        container: &ContainerId,
        diff_ids: &[Digest],
        settings: &BTreeMap<String, String>,
    ) -> Result<RootPlan> {
        let (store, driver, container) = (self.clone(), driver.clone(), container.clone());
        let settings = settings.clone();
        let chain = chain_ids(diff_ids);
        // A task of its own: where the caller goes away, the root is still made whole.
        let work = async move { store.prepare_root_whole(&driver, &container, chain, &settings).await };
        tokio::spawn(work).await.map_err(StoreError::join)?
    }

    async fn prepare_root_whole(
        &self,
        driver: &Arc<dyn StorageDriver>,
        container: &ContainerId,
        chain: Vec<Digest>,
        settings: &BTreeMap<String, String>,
    ) -> Result<RootPlan> {
        let lock = self.lock(&owner(container));
        let _held = lock.lock().await;
        if let Some(root) = self.root(container).await? {
            return Ok(root.plan);
        }
        // Until the record names the layers, a lease keeps them.
        let lease = self.lease("prepare root").await?;
        let root = self.prepare_root_leased(driver, container, chain, settings, &lease).await;
        lease.release().await?;
        root
    }

    async fn prepare_root_leased(
        &self,
        driver: &Arc<dyn StorageDriver>,
        container: &ContainerId,
        chain: Vec<Digest>,
        settings: &BTreeMap<String, String>,
        lease: &Lease,
    ) -> Result<RootPlan> {
        for id in &chain {
            lease.add_layer(driver.name(), id.hex()).await?;
        }
        let area = self.area(driver.as_ref())?;
        let name = driver.name().to_owned();
        let refused = |why| StoreError::Plan { driver: name.clone(), why };
        let layers = self.chain(&name, &chain).await?;
        if let Some(missing) = layers.0.iter().find(|l| l.place.is_none()) {
            return Err(StoreError::NotFound { kind: "layer", name: missing.chain_id.clone() });
        }
        let top = (!layers.0.is_empty()).then_some(&layers);
        let Planned { plan, state } = driver.prepare_root(container, top, settings).await?;
        let text = |e: serde_json::Error| StoreError::Record { object: owner(container), why: e.to_string() };
        let (chain, json) = (serde_json::to_string(&chain).map_err(text)?, serde_json::to_string(&plan).map_err(text)?);
        let task = Task::begin(self, &area, owner(container), plan.steps.clone(), state).await?;
        let below = layers.0.iter().filter_map(|l| l.place.clone()).collect();
        let checked = task.places().await.and_then(|own| check_mount(&plan, &own, &below).map_err(refused));
        if let Err(e) = checked {
            return Err(task.undo(e).await);
        }
        let id = container.clone();
        let record = move |c: &Connection| {
            c.execute("INSERT INTO root VALUES (?1, ?2, ?3, ?4, FALSE)", params![id.as_str(), name, chain, json])?;
            Ok(())
        };
        task.commit(Durability::Normal, record).await?;
        Ok(plan)
    }

    /// Writes the record that names the root, and says in the same transaction that it does: from here on only
    /// [`Store::remove_root`] removes the root.
    pub async fn finish_root(
        &self,
        container: &ContainerId,
        record: impl FnOnce(&Connection) -> Result<(), DbError> + Send + 'static,
    ) -> Result<()> {
        let id = container.clone();
        let finish = move |c: &Connection| match c
            .execute("UPDATE root SET finished = TRUE WHERE container = ?1", [id.as_str()])?
        {
            0 => Err(StoreError::NotFound { kind: "root", name: id.to_string() }),
            _ => Ok(record(c)?),
        };
        self.0.db.write(Durability::Normal, finish).await
    }

    /// Roots that no container's record names.
    pub(crate) async fn unfinished_roots(&self) -> Result<Vec<ContainerId>> {
        let list = |c: &Connection| {
            let mut rows = c.prepare("SELECT container FROM root WHERE NOT finished")?;
            let ids = rows.query_map([], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            let damaged = |e| StoreError::Record { object: "a root".into(), why: format!("{e}") };
            ids.into_iter().map(|id| id.parse().map_err(damaged)).collect()
        };
        self.0.db.read(list).await
    }

    /// A container's root, as it was prepared: the mount is made anew at every start.
    pub async fn root(&self, container: &ContainerId) -> Result<Option<PreparedRoot>> {
        let id = container.clone();
        let Some((driver, _, plan)) = self.0.db.read(move |c| row(c, &id)).await? else { return Ok(None) };
        let damaged = |e: serde_json::Error| StoreError::Record { object: owner(container), why: e.to_string() };
        Ok(Some(PreparedRoot { plan: serde_json::from_str(&plan).map_err(damaged)?, area: self.area_of(&driver)? }))
    }

    /// Removes a container's root, with no need of its driver; nothing to do where there is none.
    pub async fn remove_root(&self, container: &ContainerId) -> Result<()> {
        let (store, container) = (self.clone(), container.clone());
        let work = async move {
            let lock = store.lock(&owner(&container));
            let _held = lock.lock().await;
            let Some(root) = store.root(&container).await? else { return Ok(()) };
            let (driver, own) = (root.area.driver().to_owned(), owner(&container));
            let places = store.0.db.read(move |c| owned(c, &driver, &own)).await?;
            let steps = places.into_iter().map(|at| StorageStep::Discard { at }).collect();
            let task = Task::begin(&store, &root.area, owner(&container), steps, StateWrites::default()).await?;
            let gone = move |c: &Connection| {
                c.execute("DELETE FROM root WHERE container = ?1", [container.as_str()])?;
                Ok(())
            };
            task.commit(Durability::Normal, gone).await
        };
        tokio::spawn(work).await.map_err(StoreError::join)?
    }

    /// Chain ids that roots stand on, with their drivers; for collection.
    pub(crate) fn roots_in(c: &Connection) -> Result<Vec<(String, Vec<Digest>)>> {
        let mut rows = c.prepare_cached("SELECT driver, chain FROM root")?;
        let rows = rows.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
        let mut roots = Vec::new();
        for row in rows {
            let (driver, chain) = row?;
            let chain = serde_json::from_str(&chain)
                .map_err(|e| StoreError::Record { object: "a root".into(), why: e.to_string() })?;
            roots.push((driver, chain));
        }
        Ok(roots)
    }
}
