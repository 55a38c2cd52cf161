//! `pull`: one task of the engine for all who ask for the same thing with the same right; it ends when its last watcher
//! leaves. Layers are fetched at once, and unpacked while they come as far as their driver allows.

use crate::{
    Engine, EngineError, Kind,
    fetch::Fetcher,
    images::store_error,
    lifecycle::image_operation,
    plugins,
    progress::{Board, Interest, ProgressStream},
};
use davit_model::{auth::Credential, digest::Digest, id::Caller, reference::Reference};
use davit_registry::{Descriptor, ErrorKind, Platform, Registry, Session};
use davit_store::{
    LayerSource, Lease, StoreError,
    image::{Config, Manifest},
};
use futures_util::future::BoxFuture;
use std::{
    collections::BTreeMap,
    io,
    io::Read,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// The pulls under way.
#[derive(Debug, Default)]
pub(crate) struct Pulls(Mutex<Vec<(Wanted, Board, Weak<Interest>)>>);

/// What makes two pulls the same. The credential is part of it: nobody watches what he may not have.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    reference: Reference,
    platform: Option<Platform>,
    caller: Caller,
    credential: Option<Credential>,
}

impl Engine {
    /// Pulls an image, or joins those who pull it already.
    pub async fn pull(
        &self,
        caller: &Caller,
        reference: &Reference,
        credential: Option<Credential>,
        platform: Option<&str>,
    ) -> Result<ProgressStream, EngineError> {
        let platform = platform.filter(|p| !p.is_empty()).map(str::parse::<Platform>).transpose();
        let platform = platform.map_err(|e| EngineError::invalid(format!("invalid platform: {e}")))?;
        self.admit(&image_operation("image.pull", caller, &reference.familiar(), reference.digest().cloned())).await?;
        let session = Session::new(self.inner.policy().auth(reference)?, caller.clone(), credential.clone());
        let wanted =
            Wanted { reference: reference.clone(), platform: platform.clone(), caller: caller.clone(), credential };
        let mut pulls = self.inner.pulls.0.lock().unwrap_or_else(PoisonError::into_inner);
        pulls.retain(|(_, _, interest)| interest.strong_count() > 0);
        let same = pulls.iter().find(|(w, _, _)| *w == wanted);
        if let Some((board, interest)) = same.and_then(|(_, board, interest)| Some((board, interest.upgrade()?))) {
            return Ok(board.watch(interest));
        }
        let board = Board::new();
        let work = Pull {
            engine: self.clone(),
            session,
            reference: reference.clone(),
            platform,
            board: board.clone(),
            caller: caller.clone(),
        };
        let interest = board.start(&self.inner.tasks, work.run());
        pulls.push((wanted, board.clone(), Arc::downgrade(&interest)));
        Ok(board.watch(interest))
    }
}

/// One pull at work.
struct Pull {
    engine: Engine,
    session: Session,
    reference: Reference,
    platform: Option<Platform>,
    board: Board,
    caller: Caller,
}

impl Pull {
    async fn run(self) -> Result<(), EngineError> {
        let store = &self.engine.inner.store;
        let reference = &self.reference;
        let driver = self.engine.inner.policy().storage(None)?;
        let resolved = self.engine.inner.registry.resolve(&self.session, reference, self.platform.as_ref()).await;
        let resolved = resolved.map_err(registry_error)?;
        self.board.head(&tag_of(reference), format!("Pulling from {}", reference.repository()));
        let known =
            image_operation("image.pull", &self.caller, &reference.familiar(), Some(resolved.document.digest.clone()));
        self.engine.admit(&known).await?;
        if plugins::is_artifact(&resolved.manifest) {
            let name = reference.familiar();
            return Err(EngineError::invalid(format!(
                "{name} is a plugin, not an image; use: davit plugin install {name}"
            )));
        }
        let manifest = Manifest::parse(Some(&resolved.document.media_type), resolved.document.bytes.to_vec());
        let manifest = manifest.map_err(store_error)?;
        let before = store.resolve(&reference.to_string()).await.ok().map(|i| i.record.id);
        let lease = store.lease(&format!("pull {}", reference.familiar())).await.map_err(store_error)?;
        let (config, fresh) = match self.bring(&driver, &lease, &manifest, &resolved.digest).await {
            Ok(brought) => brought,
            Err(e) => {
                if e.kind() == Kind::NoSpace {
                    self.give_back(lease).await;
                }
                return Err(e);
            }
        };
        lease.release().await.map_err(store_error)?;
        self.board.foot(format!("Digest: {}", resolved.digest));
        let newer = fresh || before.as_ref() != Some(&config.digest);
        let what = if newer { "Downloaded newer image for" } else { "Image is up to date for" };
        self.board.foot(format!("Status: {what} {}", reference.familiar()));
        let attributes = BTreeMap::from([("name".to_owned(), reference.familiar_name())]);
        self.engine.publish("image.pull", &reference.familiar(), attributes);
        Ok(())
    }

    /// Brings what the image is made of, and puts the image on record; says whether anything was missing.
    async fn bring(
        &self,
        driver: &Arc<dyn davit_model::storage::StorageDriver>,
        lease: &Lease,
        manifest: &Manifest,
        digest: &Digest,
    ) -> Result<(Config, bool), EngineError> {
        let config = self.config(lease, manifest).await?;
        let fresh = self.layers(driver, lease, manifest, &config).await?;
        let put =
            self.engine.inner.store.put_image(manifest, std::slice::from_ref(&self.reference), true, Some(digest));
        put.await.map_err(store_error)?;
        Ok((config, fresh))
    }

    /// What a pull that was interrupted has brought is kept for the next try; of one that does not fit, nothing is.
    async fn give_back(&self, lease: Lease) {
        if let Err(e) = lease.release().await {
            return tracing::warn!("giving back the room of a pull: {e}");
        }
        self.engine.collect().await;
    }

    fn fetcher(&self) -> Fetcher<'_> {
        Fetcher { engine: &self.engine, session: &self.session, reference: &self.reference }
    }

    /// The image's configuration, which names the layers' diff ids.
    async fn config(&self, lease: &Lease, manifest: &Manifest) -> Result<Config, EngineError> {
        let descriptor = descriptor(&manifest.config);
        self.fetcher().bring(lease, &descriptor, &|_| ()).await?;
        let bytes = self.engine.inner.store.blob_bytes(&descriptor.digest).await.map_err(store_error)?;
        let config = Config::parse(bytes).map_err(store_error)?;
        if config.diff_ids.len() != manifest.layers.len() {
            return Err(EngineError::invalid(format!(
                "the image's manifest has {} layers, its configuration {}",
                manifest.layers.len(),
                config.diff_ids.len()
            )));
        }
        Ok(config)
    }

    /// Brings and unpacks the layers that are missing; says whether there were any.
    async fn layers(
        &self,
        driver: &Arc<dyn davit_model::storage::StorageDriver>,
        lease: &Lease,
        manifest: &Manifest,
        config: &Config,
    ) -> Result<bool, EngineError> {
        let store = &self.engine.inner.store;
        let chain = davit_store::chain_ids(&config.diff_ids);
        let (mut sources, mut transfers, mut missing) = (Vec::new(), Vec::new(), 0);
        for ((layer, diff_id), chain_id) in manifest.layers.iter().zip(&config.diff_ids).zip(&chain) {
            let id = layer.digest.short().to_owned();
            let unpacked = store.layer(driver.as_ref(), chain_id).await.map_err(store_error)?.is_some();
            missing += usize::from(!unpacked);
            // The blob is kept beside the unpacked layer: a push sends the very bytes that came.
            let (transfer, reader) = self.transfer(lease, layer).await?;
            let status = if unpacked && transfer.is_none() { "Already exists" } else { "Pulling fs layer" };
            self.board.line(&id, status, None);
            let (board, size) = (self.board.clone(), layer.size);
            let open = move || {
                let told = Box::new(move |n| board.line(&id, "Extracting", Some((n, size))));
                Ok(Box::new(Counted { inner: reader()?, read: 0, told }) as Box<dyn Read + Send>)
            };
            sources.push(LayerSource::new(diff_id.clone(), layer.media_type.clone(), open));
            transfers.extend(transfer);
        }
        let fresh = !transfers.is_empty() || missing > 0;
        let unpacking = async { store.ensure_layers(driver, lease, sources).await.map_err(store_error) };
        let fetching = futures_util::future::try_join_all(transfers);
        // A transfer's error is the cause, the unpacking's then only its consequence.
        let (fetched, unpacked) = tokio::join!(fetching, unpacking);
        fetched?;
        unpacked?;
        for layer in manifest.layers.iter().filter(|_| fresh) {
            self.board.line(layer.digest.short(), "Pull complete", None);
        }
        Ok(fresh)
    }

    /// A future that brings a layer's blob, and how to read the blob while that runs. No future: the blob is there.
    ///
    /// Nothing is waited for here: two pulls that each hold a blob the other wants would wait for ever. A blob that
    /// somebody else brings (or that this manifest names twice) is waited for in the future, and read when it is whole.
    async fn transfer<'a>(
        &'a self,
        lease: &'a Lease,
        layer: &'a davit_store::image::Descriptor,
    ) -> Result<(Option<BoxFuture<'a, Result<(), EngineError>>>, OpenBlob), EngineError> {
        let store = &self.engine.inner.store;
        let told = move |held| self.board.line(layer.digest.short(), "Downloading", Some((held, layer.size)));
        let wanted = descriptor(layer);
        let (blobs, digest) = (store.blobs().clone(), layer.digest.clone());
        let whole = move || Ok(Box::new(blobs.read(&digest)?) as Box<dyn Read + Send>);
        match store.write_blob(lease, &layer.digest, Some(layer.size)).await {
            Ok(None) => Ok((None, Box::new(whole))),
            Ok(Some(writer)) => {
                let follower = writer.follow().map_err(store_error)?;
                let bring = async move { self.fetcher().fetch(writer, &wanted, &told).await };
                Ok((Some(Box::pin(bring)), Box::new(move || Ok(Box::new(follower) as Box<dyn Read + Send>))))
            }
            Err(StoreError::Busy(_)) => {
                let (arrived, wait) = std::sync::mpsc::channel::<()>();
                let bring = async move {
                    self.fetcher().bring(lease, &wanted, &told).await?;
                    // An error says that nobody wants to read it.
                    let _ = arrived.send(());
                    Ok(())
                };
                let open = move || match wait.recv() {
                    Ok(()) => whole(),
                    Err(_) => Err(StoreError::Cancelled),
                };
                Ok((Some(Box::pin(bring)), Box::new(open)))
            }
            Err(e) => Err(store_error(e)),
        }
    }
}

/// Opens a blob for reading, on a thread that may block.
type OpenBlob = Box<dyn FnOnce() -> Result<Box<dyn Read + Send>, StoreError> + Send>;

/// A reader that tells how far it is.
struct Counted {
    inner: Box<dyn Read + Send>,
    read: u64,
    told: Box<dyn Fn(u64) + Send>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.read += n as u64;
        // The download's bar has the line until it is done; extraction is shown in steps of a mebibyte.
        if n == 0 || self.read >> 20 != (self.read - n as u64) >> 20 {
            (self.told)(self.read);
        }
        Ok(n)
    }
}

fn descriptor(d: &davit_store::image::Descriptor) -> Descriptor {
    Descriptor::new(d.media_type.clone(), d.digest.clone(), d.size)
}

fn tag_of(reference: &Reference) -> String {
    match (reference.tag(), reference.digest()) {
        (Some(tag), _) => tag.to_owned(),
        (None, Some(digest)) => digest.to_string(),
        (None, None) => davit_model::reference::DEFAULT_TAG.to_owned(),
    }
}

/// A client of registries with the site's settings.
pub(crate) fn registry_client() -> Result<Registry, EngineError> {
    Registry::new(davit_registry::Options::default()).map_err(registry_error)
}

/// The registry's errors by kind.
pub(crate) fn registry_error(e: davit_registry::Error) -> EngineError {
    let kind = match &*e.kind {
        ErrorKind::Unauthorized(_) => Kind::Unauthorized,
        ErrorKind::Denied(_) => Kind::Forbidden,
        ErrorKind::NotFound(_) | ErrorKind::NoPlatform { .. } => Kind::NotFound,
        ErrorKind::Policy(port) => EngineError::from(port.clone()).kind(),
        ErrorKind::Manifest(_) => Kind::Invalid,
        ErrorKind::Sink(e) if e.kind() == io::ErrorKind::StorageFull => Kind::NoSpace,
        ErrorKind::Down { .. } | ErrorKind::Timeout { .. } | ErrorKind::RateLimited { .. } => Kind::Unavailable,
        _ => Kind::Internal,
    };
    EngineError::new(kind, e.to_string())
}
