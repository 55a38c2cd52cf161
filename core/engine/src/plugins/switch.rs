//! One plugin's record changes, and with it the policy: all plugins are loaded and probed first, then the record is
//! written, then the new policy is swapped in as a whole. An error on the way leaves everything as it was.

use super::record::PluginRecord;
use crate::{
    Engine, EngineError,
    images::store_error,
    policy::{Installed, Policy},
    tables::{self, Change, Row},
};
use davit_model::digest::Digest;
use davit_store::{Db, Durability, Store, StoreError};
use std::{path::Path, sync::Arc};

/// What a record becomes.
pub(super) enum Becomes {
    /// New, or changed.
    This(Box<PluginRecord>),
    /// The plugin of that name goes.
    Gone(String),
}

impl Engine {
    /// The record of an installed plugin.
    pub(super) async fn plugin_record(&self, name: &str) -> Result<PluginRecord, EngineError> {
        let all = tables::all::<PluginRecord>(&self.inner.db).await?;
        if let Some(found) = all.into_iter().find(|p| p.name == name) {
            return Ok(found);
        }
        if self.inner.policy().plugins.iter().any(|p| p.name == name) {
            return Err(EngineError::invalid(format!(
                "plugin {name} was not installed: it comes with the site's file, which says what it is and may"
            )));
        }
        Err(EngineError::not_found(format!("No such plugin: {name}")))
    }

    /// Makes a record what it becomes, with the changes of other tables that belong to it. The caller holds
    /// `plugin_changes`.
    pub(super) async fn switch(&self, becomes: Becomes, mut also: Vec<Change>) -> Result<(), EngineError> {
        let mut records = tables::all::<PluginRecord>(&self.inner.db).await?;
        let name = match &becomes {
            Becomes::This(record) => record.name.clone(),
            Becomes::Gone(name) => name.clone(),
        };
        records.retain(|r| r.name != name);
        match becomes {
            Becomes::This(record) => {
                self.inner.loader.probe(&one(&self.inner.store, &record).await?).await?;
                also.push(tables::putting(record.as_ref())?);
                records.push(*record);
            }
            Becomes::Gone(name) => also.push(tables::deleting::<PluginRecord>(&name)),
        }
        let site = self.inner.policy().site.clone();
        let installed = all_of(&self.inner.store, &records).await?;
        let policy = Policy::load(&*self.inner.loader, &site, installed).await?;
        policy.probe(&self.inner.options.data_root).await?;
        tables::change(&self.inner.db, PluginRecord::DURABILITY, also).await?;
        self.inner.set_policy(Arc::new(policy));
        Ok(())
    }

    /// Writes a record whose change no policy sees.
    pub(super) async fn note(&self, record: &PluginRecord) -> Result<(), EngineError> {
        tables::change(&self.inner.db, Durability::Full, vec![tables::putting(record)?]).await
    }
}

/// What the loader is to know of the plugins that are installed.
pub(crate) async fn installed(store: &Store, db: &Db) -> Result<Vec<Installed>, EngineError> {
    all_of(store, &tables::all::<PluginRecord>(db).await?).await
}

/// Those of a data root, for whoever looks at a site's file without a daemon; none where a daemon runs on it.
///
/// # Errors
/// Where the store is there and cannot be read.
pub async fn installed_at(root: &Path) -> Result<Option<Vec<Installed>>, EngineError> {
    if !root.join("davit.db").exists() {
        return Ok(Some(Vec::new()));
    }
    let own = root.to_owned();
    let opened = tokio::task::spawn_blocking(move || Store::open(&own)).await;
    let store = match opened.map_err(|e| EngineError::internal("opening the store", e))? {
        Ok(store) => store,
        Err(StoreError::Locked(_)) => return Ok(None),
        Err(e) => return Err(store_error(e)),
    };
    let db = store.db().clone();
    db.migrate(tables::COMPONENT).await.map_err(tables::db_error)?;
    installed(&store, &db).await.map(Some)
}

async fn all_of(store: &Store, records: &[PluginRecord]) -> Result<Vec<Installed>, EngineError> {
    let mut all = Vec::new();
    for record in records {
        all.push(one(store, record).await?);
    }
    Ok(all)
}

async fn one(store: &Store, record: &PluginRecord) -> Result<Installed, EngineError> {
    let current = &record.current;
    Ok(Installed {
        name: record.name.clone(),
        enabled: record.enabled,
        component: bytes(store, &current.component).await?,
        digest: current.component.clone(),
        granted: current.granted.clone(),
        source: current.source.clone(),
    })
}

/// The bytes of a component.
pub(super) async fn bytes(store: &Store, component: &Digest) -> Result<Vec<u8>, EngineError> {
    let (blobs, digest) = (store.blobs().clone(), component.clone());
    let read = tokio::task::spawn_blocking(move || blobs.read_all(&digest, super::LARGEST_COMPONENT)).await;
    read.map_err(|e| EngineError::internal("reading a component", e))?.map_err(store_error)
}
