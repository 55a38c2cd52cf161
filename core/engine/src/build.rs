//! `build`: the builder's port filled by the store, and by pulls where a base is not there.

use crate::{Engine, EngineError, Kind, images::store_error, lifecycle::image_operation};
use async_trait::async_trait;
use davit_build::{Base, BuildError, Descriptor, Failure, Finished, Images, Layer, Put, Why};
use davit_model::{auth::Credential, digest::Digest, id::Caller, reference::Reference};
use davit_store::{
    BlobWriter, LayerSource, Lease, Store, StoreError,
    image::{Image, Manifest},
};
use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use davit_build::{Line as BuildLine, Options as BuildOptions};

/// Between two looks at a layer that another build is writing.
const ANOTHER_LOOK: Duration = Duration::from_millis(100);
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What a build says. Dropping it ends the build.
#[derive(Debug)]
pub struct BuildStream {
    // As many lines as the Dockerfile has instructions, so they need no bound of their own.
    lines: mpsc::UnboundedReceiver<Result<BuildLine, EngineError>>,
    _interest: DropGuard,
}

impl BuildStream {
    /// The next line; an error is the last.
    pub async fn next(&mut self) -> Option<Result<BuildLine, EngineError>> {
        self.lines.recv().await
    }
}

impl Engine {
    /// An empty file without a name on the disk of the data root: room for a build context.
    pub async fn scratch(&self) -> Result<File, EngineError> {
        let root = self.inner.options.data_root.clone();
        let made = tokio::task::spawn_blocking(move || tempfile::tempfile_in(root)).await;
        let made = made.map_err(|e| EngineError::internal("making a file for the build context", e))?;
        made.map_err(|e| EngineError::internal("making a file for the build context", e))
    }

    /// Builds an image from a context: a tar archive in a file, from its beginning. `credentials` are the caller's own,
    /// by registry, for bases that must be pulled.
    pub async fn build(
        &self,
        caller: &Caller,
        context: File,
        options: BuildOptions,
        credentials: BTreeMap<String, Credential>,
    ) -> Result<BuildStream, EngineError> {
        let name = options.tags.first().map(Reference::familiar).unwrap_or_default();
        self.admit(&image_operation("image.build", caller, &name, None)).await?;
        let lease = self.inner.store.lease(&format!("build {name}")).await.map_err(store_error)?;
        let (told, lines) = mpsc::unbounded_channel();
        let keeper = Keeper {
            engine: self.clone(),
            caller: caller.clone(),
            lease: lease.clone(),
            credentials,
            told: told.clone(),
        };
        let cancelled = CancellationToken::new();
        let interest = cancelled.clone().drop_guard();
        self.inner.tasks.spawn(async move {
            let build = davit_build::build(Arc::new(keeper), context, options);
            let done = tokio::select! {
                done = build => done,
                () = cancelled.cancelled() => return end(lease).await,
            };
            end(lease).await;
            if let Err(e) = done {
                // Nobody listens any more only where nobody wants to know.
                let _ = told.send(Err(build_error(&e)));
            }
        });
        Ok(BuildStream { lines, _interest: interest })
    }
}

async fn end(lease: Lease) {
    if let Err(e) = lease.release().await {
        tracing::warn!("ending a build's lease, which ends by itself later: {e}");
    }
}

fn build_error(e: &BuildError) -> EngineError {
    let source = match e {
        BuildError::Port { source, .. } | BuildError::Line { why: Why::Port { source, .. }, .. } => Some(source),
        _ => None,
    };
    let kind = source.and_then(|s| s.downcast_ref::<EngineError>()).map_or(Kind::Invalid, EngineError::kind);
    EngineError::new(kind, e.to_string())
}

/// The engine as the builder sees it: one for each build.
struct Keeper {
    engine: Engine,
    caller: Caller,
    /// Keeps what the build uses and makes until the image's record does.
    lease: Lease,
    credentials: BTreeMap<String, Credential>,
    told: mpsc::UnboundedSender<Result<BuildLine, EngineError>>,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("caller", &self.caller).finish_non_exhaustive()
    }
}

impl Keeper {
    fn store(&self) -> &Store {
        &self.engine.inner.store
    }

    /// The image, if it is there.
    async fn find(&self, reference: &Reference) -> Result<Option<Image>, EngineError> {
        match self.store().resolve(&reference.to_string()).await {
            Ok(image) => Ok(Some(image)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(e) => Err(store_error(e)),
        }
    }

    /// Pulls as anybody who asks for a pull, with the caller's own credential.
    async fn pull(&self, reference: &Reference) -> Result<(), EngineError> {
        let credential = self.credentials.get(reference.registry()).cloned();
        let mut progress = self.engine.pull(&self.caller, reference, credential, None).await?;
        while let Some(line) = progress.next().await {
            let line = line?;
            // Bars belong to a pull; a build tells what was done.
            if line.id.is_empty() {
                self.progress(BuildLine::Text(format!("{}\n", line.status)));
            }
        }
        Ok(())
    }

    /// The image's layers, kept by the lease from here on.
    async fn layers(&self, image: &Image) -> Result<Vec<Layer>, EngineError> {
        let record = image.record.manifests.first();
        let record = record.ok_or_else(|| EngineError::internal("building", "the base has no manifest"))?;
        let manifest = self.store().image_manifest(record).await.map_err(store_error)?;
        let mut layers = Vec::with_capacity(manifest.layers.len());
        for (layer, diff_id) in manifest.layers.iter().zip(&image.record.diff_ids) {
            self.lease.add_blob(&layer.digest).await.map_err(store_error)?;
            let descriptor =
                Descriptor { media_type: layer.media_type.clone(), digest: layer.digest.clone(), size: layer.size };
            layers.push(Layer { diff_id: diff_id.clone(), descriptor });
        }
        Ok(layers)
    }

    /// The layer's writer; none where it is there. Another build's writer is waited for.
    async fn writer(&self, diff_id: &Digest, size: u64) -> Result<Option<BlobWriter>, EngineError> {
        loop {
            match self.store().write_blob(&self.lease, diff_id, Some(size)).await {
                Err(StoreError::Busy(_)) => tokio::time::sleep(ANOTHER_LOOK).await,
                other => return other.map_err(store_error),
            }
        }
    }
}

#[async_trait]
impl Images for Keeper {
    async fn base(&self, reference: &Reference, pull: bool) -> Result<Base, Failure> {
        let there = if pull { None } else { self.find(reference).await? };
        let image = match there {
            Some(image) => image,
            None => {
                self.pull(reference).await?;
                self.store().resolve(&reference.to_string()).await.map_err(store_error)?
            }
        };
        let config = self.store().image_config(&image.record).await.map_err(store_error)?;
        Ok(Base { id: image.record.id.clone(), config: config.raw, layers: self.layers(&image).await? })
    }

    fn open_layer(&self, layer: &Layer) -> io::Result<Box<dyn Read + Send>> {
        let file = self.store().blobs().read(&layer.descriptor.digest).map_err(io::Error::other)?;
        Ok(Box::new(file))
    }

    fn scratch(&self) -> io::Result<File> {
        tempfile::tempfile_in(&self.engine.inner.options.data_root)
    }

    async fn put_layer(&self, file: File, diff_id: &Digest, size: u64) -> Result<Put, Failure> {
        // The blob is the archive as it is: nothing is compressed that may never be pushed.
        let descriptor = Descriptor { media_type: LAYER.to_owned(), digest: diff_id.clone(), size };
        let Some(writer) = self.writer(diff_id, size).await? else { return Ok(Put { descriptor, known: true }) };
        let written = tokio::task::spawn_blocking(move || write(file, writer)).await;
        written.map_err(|e| EngineError::internal("writing a layer", e))??;
        Ok(Put { descriptor, known: false })
    }

    async fn tagged(&self, reference: &Reference) -> Result<Option<Vec<u8>>, Failure> {
        let Some(image) = self.find(reference).await? else { return Ok(None) };
        Ok(Some(self.store().image_config(&image.record).await.map_err(store_error)?.raw))
    }

    async fn commit(&self, image: Finished) -> Result<Digest, Failure> {
        let store = self.store();
        let driver = self.engine.inner.policy().storage(None)?;
        let id = store.put_blob(&self.lease, image.config).await.map_err(store_error)?;
        let sources = image.layers.into_iter().map(|layer| {
            let Descriptor { media_type, digest, .. } = layer.descriptor;
            LayerSource::blob(store, layer.diff_id, media_type, digest)
        });
        store.ensure_layers(&driver, &self.lease, sources.collect()).await.map_err(store_error)?;
        let manifest = Manifest::parse(None, image.manifest).map_err(store_error)?;
        store.put_image(&manifest, &image.tags, false, None).await.map_err(store_error)?;
        for tag in &image.tags {
            let attributes = BTreeMap::from([("name".to_owned(), tag.familiar())]);
            self.engine.publish("image.tag", &id.to_string(), attributes);
        }
        Ok(id)
    }

    fn progress(&self, line: BuildLine) {
        // The build goes on to its next wait, and ends there, when nobody listens.
        let _ = self.told.send(Ok(line));
    }
}

/// Writes a layer's blob from where an earlier try left it.
fn write(mut file: File, mut writer: BlobWriter) -> Result<(), EngineError> {
    let failed = |e: io::Error| EngineError::internal("writing a layer", e);
    file.seek(SeekFrom::Start(writer.offset())).map_err(failed)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        match buffer.get(..read) {
            Some(bytes) if !bytes.is_empty() => writer.write(bytes).map_err(store_error)?,
            _ => break,
        }
    }
    writer.finish().map(|_| ()).map_err(store_error)
}
