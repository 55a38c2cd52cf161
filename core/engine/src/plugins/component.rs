//! Components on their way in: from a registry through the same client, policy and verifier as images, or as bytes. The
//! loader looks at each (and compiles it, once), and nothing is granted yet.

use super::{
    artifact, plugin_operation,
    record::{ComponentRecord, PluginRecord},
    switch::bytes,
};
use crate::{
    Engine, EngineError,
    fetch::Fetcher,
    images::store_error,
    progress::{Board, ProgressStream},
    pull::registry_error,
    tables::{self, Change},
};
use davit_model::{auth::Credential, digest::Digest, id::Caller, reference::Reference};
use davit_registry::Session;
use davit_store::{Durability, Lease, hold_in};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// How long a component stays that no plugin is made of.
const UNUSED: SignedDuration = SignedDuration::from_hours(24);

impl Engine {
    /// Takes a component that the caller has at hand; `source` says from where.
    pub async fn bring_component(
        &self,
        caller: &Caller,
        bytes: Vec<u8>,
        source: &str,
    ) -> Result<ComponentRecord, EngineError> {
        self.admit(&plugin_operation("plugin.bring", caller, source, None)).await?;
        let store = &self.inner.store;
        let lease = store.lease(&format!("component {source}")).await.map_err(store_error)?;
        let inspected = self.inner.loader.inspect(&bytes).await.map_err(|e| e.context(source))?;
        let size = bytes.len() as u64;
        let digest = store.put_blob(&lease, bytes).await.map_err(store_error)?;
        let made = artifact::make(&digest, size, &inspected)?;
        let config = store.put_blob(&lease, made.config).await.map_err(store_error)?;
        let artifact = store.put_blob(&lease, made.manifest.bytes.to_vec()).await.map_err(store_error)?;
        let brought = Timestamp::now();
        let component =
            ComponentRecord { digest, artifact, config, size, source: source.to_owned(), brought, inspected };
        self.keep_component(&component, lease).await?;
        Ok(component)
    }

    /// Pulls a component; then [`Engine::component`] knows it by the reference.
    pub async fn pull_component(
        &self,
        caller: &Caller,
        reference: &Reference,
        credential: Option<Credential>,
    ) -> Result<ProgressStream, EngineError> {
        self.admit(&plugin_operation("plugin.pull", caller, &reference.familiar(), reference.digest())).await?;
        let session = Session::new(self.inner.policy().auth(reference)?, caller.clone(), credential);
        let board = Board::new();
        let (engine, reference, on) = (self.clone(), reference.clone(), board.clone());
        let work = async move { engine.pull_component_to(&session, &reference, &on).await };
        Ok(board.run(&self.inner.tasks, work))
    }

    async fn pull_component_to(
        &self,
        session: &Session,
        reference: &Reference,
        board: &Board,
    ) -> Result<(), EngineError> {
        let store = &self.inner.store;
        let resolved = self.inner.registry.resolve(session, reference, None).await.map_err(registry_error)?;
        let (config, layer) = artifact::read(&reference.familiar(), &resolved.manifest)?;
        let lease = store.lease(&format!("component {}", reference.familiar())).await.map_err(store_error)?;
        let fetcher = Fetcher { engine: self, session, reference };
        fetcher.bring(&lease, &config, &|_| ()).await?;
        let id = layer.digest.short().to_owned();
        board.line(&id, "Downloading", Some((0, layer.size)));
        let told = |held| board.line(&id, "Downloading", Some((held, layer.size)));
        fetcher.bring(&lease, &layer, &told).await?;
        let artifact = store.put_blob(&lease, resolved.document.bytes.to_vec()).await.map_err(store_error)?;
        board.line(&id, "Compiling", None);
        let component = self.component_bytes(&layer.digest).await?;
        let inspected = self.inner.loader.inspect(&component).await.map_err(|e| e.context(&reference.familiar()))?;
        board.line(&id, "Pull complete", None);
        let component = ComponentRecord {
            digest: layer.digest,
            artifact,
            config: config.digest,
            size: layer.size,
            source: reference.familiar(),
            brought: Timestamp::now(),
            inspected,
        };
        self.keep_component(&component, lease).await?;
        board.foot(format!("Digest: {}", resolved.digest));
        board.foot(format!("Component: {}", component.digest));
        Ok(())
    }

    /// A component that is here, by its digest, or by the reference or file that it came from last.
    pub async fn component(&self, key: &str) -> Result<ComponentRecord, EngineError> {
        let all = tables::all::<ComponentRecord>(&self.inner.db).await?;
        let by_digest = key.parse::<Digest>().ok();
        let fits = |c: &ComponentRecord| by_digest.as_ref().map_or(c.source == key, |digest| c.digest == *digest);
        let found = all.into_iter().filter(fits).max_by_key(|c| c.brought);
        found.ok_or_else(|| {
            EngineError::not_found(format!("No such component: {key}; bring it with: davit plugin pull"))
        })
    }

    /// The bytes of a component that is here.
    pub async fn component_bytes(&self, digest: &Digest) -> Result<Vec<u8>, EngineError> {
        bytes(&self.inner.store, digest).await
    }

    /// Writes it down, which holds its blobs; what nobody needs any more goes.
    async fn keep_component(&self, component: &ComponentRecord, lease: Lease) -> Result<(), EngineError> {
        let (owner, blobs) = (owner(&component.digest), held(component));
        let hold: Change = Box::new(move |c| hold_in(c, &owner, &blobs));
        tables::change(&self.inner.db, Durability::Full, vec![tables::putting(component)?, hold]).await?;
        lease.release().await.map_err(store_error)?;
        self.drop_components().await
    }

    /// Components of yesterday that no plugin is made of go.
    pub(super) async fn drop_components(&self) -> Result<(), EngineError> {
        let plugins = tables::all::<PluginRecord>(&self.inner.db).await?;
        let used: BTreeSet<&Digest> = plugins.iter().flat_map(PluginRecord::components).collect();
        let old = Timestamp::now() - UNUSED;
        let mut changes: Vec<Change> = Vec::new();
        for component in tables::all::<ComponentRecord>(&self.inner.db).await? {
            if component.brought < old && !used.contains(&component.digest) {
                let owner = owner(&component.digest);
                changes.push(tables::deleting::<ComponentRecord>(component.digest.hex()));
                changes.push(Box::new(move |c| hold_in(c, &owner, &[])));
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        tables::change(&self.inner.db, Durability::Full, changes).await
    }
}

fn owner(component: &Digest) -> String {
    format!("component:{}", component.hex())
}

fn held(component: &ComponentRecord) -> Vec<Digest> {
    vec![component.digest.clone(), component.artifact.clone(), component.config.clone()]
}
