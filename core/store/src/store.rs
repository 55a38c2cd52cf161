//! The store of one data root: where everything below is held together.

use crate::{
    area::Area,
    blob::{BlobWriter, Blobs},
    db::{Component, Db, SqlJournal},
    error::{IoContext, Result, StoreError},
    lease::{Held, Lease},
    unpack::Limits,
};
use davit_model::{digest::Digest, storage::StorageDriver};
use rustix::fs::{FlockOperation, Mode};
use std::{
    collections::HashMap,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

pub(crate) const COMPONENT: Component = Component {
    name: "store",
    migrations: &[
        include_str!("schema.sql"),
        "CREATE TABLE held (
            owner TEXT NOT NULL,      -- 'plugin:<name>'
            blob TEXT NOT NULL,       -- digest
            PRIMARY KEY (owner, blob)
        )",
    ],
};

/// The store; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) root: OwnedFd,
    pub(crate) path: PathBuf,
    pub(crate) db: Db,
    pub(crate) blobs: Blobs,
    pub(crate) limits: Limits,
    /// The leases that somebody holds; all others are left from work that was interrupted.
    pub(crate) leases: Held,
    areas: Mutex<HashMap<String, Area>>,
    locks: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    /// Held shared while a lease grows, alone while blobs are swept. Never over a driver's call.
    pub(crate) collecting: tokio::sync::RwLock<()>,
    /// Layers that unpack at the same time.
    pub(crate) unpacking: tokio::sync::Semaphore,
}

/// More threads than processors, since many wait for their download.
const UNPACKING: usize = 32;

impl Store {
    /// Opens or makes a data root, alone: a second daemon on it is refused. Call [`Store::recover`] before anything
    /// else. Blocks.
    pub fn open(root: &Path) -> Result<Self> {
        Self::open_with(root, Limits::default())
    }

    /// As [`Store::open`], with bounds for layers of one's own.
    pub fn open_with(root: &Path, limits: Limits) -> Result<Self> {
        let object = || root.display().to_string();
        match rustix::fs::mkdir(root, Mode::from_raw_mode(0o711)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(e) => return Err(StoreError::io("make data root", object(), e)),
        }
        let fd = rustix::fs::open(root, crate::dirs::DIR, Mode::empty()).doing("open data root", object())?;
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::AGAIN) => return Err(StoreError::Locked(object())),
            Err(e) => return Err(StoreError::io("lock data root", object(), e)),
        }
        let db = Db::open(&root.join("davit.db"), &[COMPONENT])?;
        let blobs = Blobs::open(&fd)?;
        Ok(Self(Arc::new(Inner {
            root: fd,
            path: root.to_owned(),
            db,
            blobs,
            limits,
            leases: Held::default(),
            areas: Mutex::default(),
            locks: Mutex::default(),
            collecting: tokio::sync::RwLock::new(()),
            unpacking: tokio::sync::Semaphore::new(UNPACKING),
        })))
    }

    /// The data root's path, for messages and for mounts made by others.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The database: the engine keeps its own tables there, added by [`Db::migrate`].
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// The journal in that database.
    pub fn journal(&self) -> SqlJournal {
        SqlJournal::new(self.0.db.clone())
    }

    /// The blobs: reading, checking. New ones are written through [`Store::write_blob`], which leases them.
    pub fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    /// The driver's area, `areas/<driver>/`.
    pub fn area(&self, driver: &dyn StorageDriver) -> Result<Area> {
        self.area_of(driver.name())
    }

    pub(crate) fn area_of(&self, driver: &str) -> Result<Area> {
        let mut areas = self.0.areas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(area) = areas.get(driver) {
            return Ok(area.clone());
        }
        let area = Area::open(&self.0.root, driver)?;
        areas.insert(driver.to_owned(), area.clone());
        Ok(area)
    }

    /// One lock an object, for work on that object alone; forgotten when nobody holds it.
    pub(crate) fn lock(&self, object: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = locks.get(object).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        locks.insert(object.to_owned(), Arc::downgrade(&lock));
        lock
    }

    /// Begins or resumes a blob under a lease; none where it is there already. [`StoreError::Busy`] where another
    /// writer has it.
    pub async fn write_blob(&self, lease: &Lease, digest: &Digest, size: Option<u64>) -> Result<Option<BlobWriter>> {
        lease.add_blob(digest).await?;
        let (blobs, digest) = (self.0.blobs.clone(), digest.clone());
        let open = move || match blobs.size(&digest)? {
            Some(there) => match size.filter(|want| *want != there) {
                Some(want) => Err(StoreError::WrongSize { object: format!("blob {digest}"), want, got: there }),
                None => Ok(None),
            },
            None => blobs.writer(&digest, size).map(Some),
        };
        tokio::task::spawn_blocking(open).await.map_err(StoreError::join)?
    }

    /// Stores bytes at hand (a manifest, a configuration) under a lease.
    pub async fn put_blob(&self, lease: &Lease, bytes: Vec<u8>) -> Result<Digest> {
        use sha2::Digest as _;
        let digest = Digest::sha256(&sha2::Sha256::digest(&bytes).into());
        lease.add_blob(&digest).await?;
        let blobs = self.0.blobs.clone();
        tokio::task::spawn_blocking(move || blobs.put(&bytes)).await.map_err(StoreError::join)?
    }

    /// A small blob whole, at most 8 MiB: manifests and configurations.
    pub async fn blob_bytes(&self, digest: &Digest) -> Result<Vec<u8>> {
        let (blobs, digest) = (self.0.blobs.clone(), digest.clone());
        tokio::task::spawn_blocking(move || blobs.read_all(&digest, 8 << 20)).await.map_err(StoreError::join)?
    }

    /// Verifies every blob's bytes against its digest; answers those that are wrong.
    pub async fn check(&self) -> Result<Vec<(Digest, StoreError)>> {
        let blobs = self.0.blobs.clone();
        let all = move || {
            let list = blobs.list()?.into_iter();
            Ok(list.filter_map(|b| blobs.verify(&b.digest).err().map(|e| (b.digest, e))).collect())
        };
        tokio::task::spawn_blocking(all).await.map_err(StoreError::join)?
    }
}
