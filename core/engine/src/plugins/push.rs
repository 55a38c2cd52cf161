//! `push`: a component goes to a registry as an OCI artifact, by the same road as images.

use super::{plugin_operation, record::ComponentRecord};
use crate::{
    Engine, EngineError,
    images::store_error,
    progress::{Board, ProgressStream},
    pull::registry_error,
    push::Blobs,
};
use davit_model::{auth::Credential, id::Caller, reference::Reference};
use davit_registry::{Descriptor, Document, ImageManifest, PushBlob, PushState, Session};

impl Engine {
    /// Pushes a component that is here, by its digest or the name of a plugin, to `reference`.
    pub async fn push_plugin(
        &self,
        caller: &Caller,
        what: &str,
        reference: &Reference,
        credential: Option<Credential>,
    ) -> Result<ProgressStream, EngineError> {
        if let Some(digest) = reference.digest() {
            return Err(EngineError::invalid(format!(
                "a plugin is pushed to a tag, and its digest follows: {digest} cannot be said beforehand; leave @{digest} \
                 away"
            )));
        }
        let component = match self.plugin_record(what).await {
            Ok(record) => self.component(&record.current.component.to_string()).await?,
            Err(_) => self.component(what).await?,
        };
        self.admit(&plugin_operation("plugin.push", caller, &reference.familiar(), Some(&component.digest))).await?;
        let session = Session::new(self.inner.policy().auth(reference)?, caller.clone(), credential);
        let board = Board::new();
        board.head("", format!("The push refers to repository [{}/{}]", reference.registry(), reference.repository()));
        let (engine, reference, on) = (self.clone(), reference.clone(), board.clone());
        let work = async move { engine.send_component(&session, &reference, &component, &on).await };
        Ok(board.run(&self.inner.tasks, work))
    }

    async fn send_component(
        &self,
        session: &Session,
        reference: &Reference,
        component: &ComponentRecord,
        board: &Board,
    ) -> Result<(), EngineError> {
        let bytes = self.inner.store.blob_bytes(&component.artifact).await.map_err(store_error)?;
        let damaged = |e| EngineError::internal("reading a plugin's manifest", e);
        let manifest: ImageManifest = serde_json::from_slice(&bytes).map_err(damaged)?;
        let blob = |descriptor: &Descriptor| PushBlob { descriptor: descriptor.clone(), mount_from: Vec::new() };
        let blobs: Vec<PushBlob> = manifest.layers.iter().chain([&manifest.config]).map(blob).collect();
        let document = Document::new("application/vnd.oci.image.manifest.v1+json", bytes);
        let told = |descriptor: &Descriptor, state: PushState| {
            if descriptor.digest == manifest.config.digest {
                return;
            }
            let (status, bytes) = crate::push::shown(state, descriptor.size);
            board.line(descriptor.digest.short(), status, bytes);
        };
        let source = Blobs(self.inner.store.clone());
        // Boxed: the compiler cannot prove the nested stream Send for every lifetime otherwise.
        let push: futures_util::future::BoxFuture<'_, _> =
            Box::pin(self.inner.registry.push(session, reference, &document, &blobs, &source, &told));
        let pushed = push.await.map_err(registry_error)?;
        let tag = reference.tag().unwrap_or(davit_model::reference::DEFAULT_TAG);
        board.foot(format!("{tag}: digest: {pushed} size: {}", document.bytes.len()));
        self.publish("plugin.push", &reference.familiar(), super::install::of_component(component));
        Ok(())
    }
}
