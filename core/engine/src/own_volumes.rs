//! Anonymous volumes of one container: they come to be with its record and go with it. While there is no record, because
//! the container is being made or has just been removed, an entry of the journal names each.

use crate::{Engine, EngineError, record::ContainerRecord, tables::Change};
use davit_model::{
    id::ContainerId,
    journal::{Entry, Journal as _},
};
use davit_store::db::{DbError, end_in, insert_in};

/// The journal's word for a volume that no record of a container names.
pub(crate) const VOLUME: &str = "engine.volume";

/// Names the volume in the journal.
pub(crate) fn journalling(volume: &str, container: &ContainerId) -> Change {
    let entry = Entry { kind: VOLUME.into(), object: volume.into(), body: container.as_str().into() };
    Box::new(move |c| insert_in(c, &entry).map(drop))
}

/// The container's record names its volumes from now on.
pub(crate) fn recorded(container: &ContainerId) -> Change {
    let body = serde_json::Value::from(container.as_str()).to_string();
    Box::new(move |c| {
        let mut end = c.prepare_cached("DELETE FROM journal WHERE kind = ?1 AND body = ?2")?;
        Ok(end.execute([VOLUME, &body]).map(drop)?)
    })
}

/// The container's record goes, and its anonymous volumes are to follow.
pub(crate) fn orphaning(record: &ContainerRecord) -> Vec<Change> {
    let own = record.mounts.iter().filter(|m| m.anonymous).filter_map(|m| m.name.as_deref());
    own.map(|name| journalling(name, &record.id)).collect()
}

impl Engine {
    /// Removes the volumes that the journal names for this container. What fails stays there for the next start.
    pub(crate) async fn remove_own_volumes(&self, container: &ContainerId) {
        let entries = match self.inner.journal.open().await {
            Ok(entries) => entries,
            Err(e) => return tracing::warn!(%container, "looking for its volumes: {e}"),
        };
        let own = |e: &Entry| e.kind == VOLUME && e.body.as_str() == Some(container.as_str());
        for (id, entry) in entries.into_iter().filter(|(_, e)| own(e)) {
            let removed = self.settle_volume(&entry.object).await;
            if let Err(e) = removed {
                tracing::warn!(volume = entry.object, "removing it: {e}");
            } else if let Err(e) = self.inner.db.write(davit_store::Durability::Normal, move |c| end_in(c, id)).await {
                let e: DbError = e;
                tracing::warn!(volume = entry.object, "ending its journal entry: {e}");
            }
        }
    }

    /// Removes a volume, unless some container uses it.
    pub(crate) async fn settle_volume(&self, name: &str) -> Result<(), EngineError> {
        match self.remove_volume(name, true).await {
            Err(e) if e.kind() == crate::Kind::Conflict => Ok(()),
            other => other,
        }
    }
}
