//! Making layers be there. All layers of a chain unpack at once as far as the driver allows; each is committed after
//! its own diff id was found right and its parent is committed. Two callers that want the same layer share it.

use super::{LayerRecord, chain_ids, find};
use crate::{
    area::Area,
    blob::BlobFollower,
    db::Durability,
    error::{IoContext, Result, StoreError},
    lease::Lease,
    steps::{Effect, Task, simulate},
    store::Store,
    unpack::{Options, Unpacked, adopt_implied, unpack},
    verdict::unpacks_into,
};
use davit_model::{
    digest::Digest,
    state::Planned,
    storage::{LayerPlan, Place, StorageDriver},
};
use rusqlite::params;
use std::{
    fmt,
    io::Read,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::watch;

type Open = Box<dyn FnOnce() -> Result<Box<dyn Read + Send>> + Send>;

/// Where a layer's archive comes from. Opened only where the layer is not there; read on a thread that may block.
pub struct LayerSource {
    diff_id: Digest,
    media_type: String,
    open: Open,
}

impl fmt::Debug for LayerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerSource").field("diff_id", &self.diff_id).field("media_type", &self.media_type).finish()
    }
}

impl LayerSource {
    /// Any reader. An empty media type means: told by the bytes alone.
    pub fn new(
        diff_id: Digest,
        media_type: impl Into<String>,
        open: impl FnOnce() -> Result<Box<dyn Read + Send>> + Send + 'static,
    ) -> Self {
        Self { diff_id, media_type: media_type.into(), open: Box::new(open) }
    }

    /// A blob of the store that is complete.
    pub fn blob(store: &Store, diff_id: Digest, media_type: impl Into<String>, blob: Digest) -> Self {
        let blobs = store.blobs().clone();
        Self::new(diff_id, media_type, move || Ok(Box::new(blobs.read(&blob)?)))
    }

    /// A blob in flight: unpacking runs along with the download.
    pub fn follow(diff_id: Digest, media_type: impl Into<String>, follower: BlobFollower) -> Self {
        Self::new(diff_id, media_type, move || Ok(Box::new(follower)))
    }
}

/// What a layer's children wait for.
type Outcome = Option<Result<(), String>>;

/// Sets the flag when the caller goes away; the work undoes itself then.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Work {
    store: Store,
    driver: Arc<dyn StorageDriver>,
    area: Area,
    lease: Lease,
    cancel: Arc<AtomicBool>,
    /// Up to and with the layer at hand.
    chain: Vec<Digest>,
    parent: Option<watch::Receiver<Outcome>>,
}

impl Store {
    /// Makes every layer of a chain be there, base first; answers their records in that order. Where the future is
    /// dropped, work under way stops and is undone. What was committed before a failure stays, for the next try.
    pub async fn ensure_layers(
        &self,
        driver: &Arc<dyn StorageDriver>,
        lease: &Lease,
        sources: Vec<LayerSource>,
    ) -> Result<Vec<LayerRecord>> {
        let cancel = Arc::new(AtomicBool::new(false));
        let _guard = CancelOnDrop(cancel.clone());
        let area = self.area(driver.as_ref())?;
        let diff_ids: Vec<Digest> = sources.iter().map(|s| s.diff_id.clone()).collect();
        let chain = chain_ids(&diff_ids);
        let mut parent = None;
        let mut tasks = Vec::with_capacity(sources.len());
        for (index, source) in sources.into_iter().enumerate() {
            let work = Work {
                store: self.clone(),
                driver: driver.clone(),
                area: area.clone(),
                lease: lease.clone(),
                cancel: cancel.clone(),
                chain: chain.iter().take(index + 1).cloned().collect(),
                parent: parent.take(),
            };
            let (tell, outcome) = watch::channel(None);
            parent = Some(outcome);
            let failed = cancel.clone();
            // A task of its own: it is never dropped halfway.
            tasks.push(tokio::spawn(async move {
                let done = work.ensure(source).await;
                tell.send_replace(Some(done.as_ref().map(|_| ()).map_err(ToString::to_string)));
                if done.is_err() {
                    failed.store(true, Ordering::Relaxed);
                }
                done
            }));
        }
        let (mut records, mut error) = (Vec::new(), None);
        for task in tasks {
            match task.await.map_err(StoreError::join).flatten() {
                Ok(record) => records.push(record),
                // The first real failure counts: others follow from it.
                Err(e @ (StoreError::Cancelled | StoreError::Parent(_))) => {
                    error.get_or_insert(e);
                }
                Err(e) => match &error {
                    None | Some(StoreError::Cancelled | StoreError::Parent(_)) => error = Some(e),
                    Some(_) => {}
                },
            }
        }
        if let Some(e) = error {
            return Err(e);
        }
        self.make_durable(&area, &chain).await?;
        Ok(records)
    }
}

impl Work {
    fn id(&self) -> Result<&Digest> {
        self.chain.last().ok_or_else(|| StoreError::NotFound { kind: "layer", name: "of an empty chain".into() })
    }

    async fn find(&self) -> Result<Option<LayerRecord>> {
        let id = self.id()?.clone();
        self.store.layer(self.driver.as_ref(), &id).await
    }

    async fn parent_committed(&mut self) -> Result<()> {
        let Some(parent) = &mut self.parent else { return Ok(()) };
        let outcome = parent.wait_for(Option::is_some).await.map_err(|_| StoreError::Cancelled)?;
        match outcome.as_ref() {
            Some(Err(e)) => Err(StoreError::Parent(e.clone())),
            _ => Ok(()),
        }
    }

    async fn ensure(mut self, source: LayerSource) -> Result<LayerRecord> {
        let id = self.id()?.clone();
        let driver = self.driver.name().to_owned();
        self.lease.add_layer(&driver, id.hex()).await?;
        // One at a time for one layer; waits go from child to parent only, so that they cannot form a ring.
        let lock = self.store.lock(&format!("layer:{driver}:{id}"));
        let _held = lock.lock().await;
        if let Some(record) = self.find().await? {
            return Ok(record);
        }
        let Planned { plan, state } = self.plan().await?;
        let (steps, owner) = (plan.steps.clone(), format!("layer:{}", id.hex()));
        let mut task = Task::begin(&self.store, &self.area, owner, steps, state).await?;
        match self.unpack_and_commit(&mut task, plan, source).await {
            Ok(record) => {
                let row = (record.clone(), driver, self.parent_id());
                task.commit(Durability::Normal, move |c| insert(c, &row.0, &row.1, row.2.as_deref())).await?;
                Ok(record)
            }
            Err(e) => Err(task.undo(e).await),
        }
    }

    fn parent_id(&self) -> Option<String> {
        self.chain.iter().rev().nth(1).map(ToString::to_string)
    }

    /// The driver's plan; asked again with the parent's place where the driver writes on top of it.
    async fn plan(&mut self) -> Result<Planned<LayerPlan>> {
        let name = self.driver.name().to_owned();
        let mut plan = self.driver.prepare_layer(&self.store.chain(&name, &self.chain).await?).await?;
        if plan.needs_parent_first {
            self.parent_committed().await?;
            plan = self.driver.prepare_layer(&self.store.chain(&name, &self.chain).await?).await?;
        }
        let made = simulate(&plan.steps, &Default::default(), |p| self.area.exists(p).map_err(|e| e.to_string()));
        let Effect { left, .. } = made.map_err(|why| self.refused(why))?;
        unpacks_into(&plan.into, &left).map_err(|why| self.refused(why))?;
        Ok(plan)
    }

    fn refused(&self, why: String) -> StoreError {
        StoreError::Plan { driver: self.driver.name().to_owned(), why }
    }

    async fn unpack_and_commit(
        &mut self,
        task: &mut Task,
        plan: LayerPlan,
        source: LayerSource,
    ) -> Result<LayerRecord> {
        let LayerSource { diff_id, media_type, open } = source;
        let options =
            Options { media_type, whiteouts: plan.whiteouts, limits: self.store.0.limits, cancel: self.cancel.clone() };
        let into = Arc::new(self.area.open_dir(&plan.into)?);
        let on = into.clone();
        let run = move || unpack(on.as_fd(), open()?, &options);
        let unpacked = self.on_own_thread(run).await?;
        davit_sys::fault::point("store.unpacked");
        if unpacked.diff_id != diff_id {
            let object = format!("the uncompressed layer {}", diff_id.short());
            return Err(StoreError::WrongDigest { object, want: diff_id, got: unpacked.diff_id });
        }
        self.parent_committed().await?;
        if self.cancel.load(Ordering::Relaxed) {
            return Err(StoreError::Cancelled);
        }
        self.adopt(into, &unpacked).await?;
        task.cancelled_by(self.cancel.clone());
        let driver = self.driver.name().to_owned();
        let chain = self.store.chain(&driver, &self.chain).await?;
        let Planned { plan: commit, state } = self.driver.commit_layer(&chain).await?;
        task.extend(commit.steps, state).await?;
        if !self.area.exists(&commit.place)? {
            return Err(self.refused(format!("it commits to {}, which is not there", commit.place)));
        }
        Ok(LayerRecord { chain_id: self.id()?.clone(), diff_id, place: commit.place, size: unpacked.size })
    }

    /// A source may wait for its download as long as that takes, so it gets a thread of its own: waiting ones in the
    /// runtime's pool could take the threads that the downloads need to go on.
    async fn on_own_thread(&self, run: impl FnOnce() -> Result<Unpacked> + Send + 'static) -> Result<Unpacked> {
        let object = "a thread for unpacking";
        let _slot = self.store.0.unpacking.acquire().await.map_err(|_| StoreError::Cancelled)?;
        let (tell, done) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("davit-unpack".into());
        // Where nobody waits any more, nobody needs the answer.
        thread.spawn(move || drop(tell.send(run()))).doing("start", object)?;
        done.await.map_err(|e| StoreError::io("finish", object, std::io::Error::other(e)))?
    }

    /// Implied folders take the looks of the nearest lower layer.
    async fn adopt(&self, into: Arc<OwnedFd>, unpacked: &Unpacked) -> Result<()> {
        if unpacked.implied.is_empty() {
            return Ok(());
        }
        let chain = self.store.chain(self.driver.name(), &self.chain).await?;
        let lower: Vec<Place> = chain.0.into_iter().rev().skip(1).filter_map(|l| l.place).collect();
        let (area, implied) = (self.area.clone(), unpacked.implied.clone());
        let run = move || {
            let lower = lower.iter().map(|place| area.open_tree(place)).collect::<Result<Vec<OwnedFd>>>()?;
            adopt_implied(&into, &implied, &lower)
        };
        tokio::task::spawn_blocking(run).await.map_err(StoreError::join)?
    }
}

fn insert(c: &rusqlite::Connection, record: &LayerRecord, driver: &str, parent: Option<&str>) -> Result<()> {
    // A record that is there means a driver that answers the same place for two layers.
    if let Some(there) = find(c, driver, &record.chain_id)? {
        return Err(StoreError::Plan {
            driver: driver.into(),
            why: format!("{} is committed already", there.chain_id),
        });
    }
    c.execute(
        "INSERT INTO layer (driver, chain_id, parent, diff_id, place, size, boot) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            driver,
            record.chain_id.to_string(),
            parent,
            record.diff_id.to_string(),
            record.place.as_str(),
            i64::try_from(record.size).unwrap_or(i64::MAX),
            super::durable::boot_id()
        ],
    )?;
    Ok(())
}
