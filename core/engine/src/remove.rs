//! `rm`: a container's record, name and ports go at once; veth, cgroup and files go in the reaper.

use crate::{
    Engine, EngineError,
    container::Container,
    create::event_attributes,
    own_volumes,
    record::{ContainerRecord, Status},
    tables::{self, Row as _},
};
use davit_model::id::Caller;
use std::sync::Arc;

/// How a container is removed.
#[derive(Clone, Copy, Debug, Default)]
pub struct RemoveOptions {
    /// Kills it where it runs.
    pub force: bool,
    /// Its anonymous volumes go as well.
    pub volumes: bool,
}

impl Engine {
    /// Removes a container.
    pub async fn remove(&self, caller: &Caller, name: &str, options: RemoveOptions) -> Result<(), EngineError> {
        let container = self.inner.containers.find(name)?;
        self.admit(&crate::lifecycle::container_operation("container.remove", caller, &container.record())?).await?;
        let killed = options.force && container.read(|r| r.state.status.has_process());
        if killed {
            self.kill_and_wait(&container).await?;
        }
        let transition = container.begin().await;
        let status = container.read(|r| r.state.status);
        if container.pulse().borrow().removed {
            // One that removes itself at its end has done so at the end that we gave it: as was asked.
            if killed {
                return Ok(());
            }
            return Err(EngineError::not_found(format!("No such container: {name}")));
        }
        if status.has_process() || status == Status::Restarting {
            let shown = container.read(|r| r.name.clone());
            return Err(EngineError::conflict(format!(
                "cannot remove container \"{shown}\": container is {}: stop the container before removing or force remove",
                status.as_str()
            )));
        }
        self.remove_ended(&container, options.volumes).await?;
        drop(transition);
        Ok(())
    }
}

impl Engine {
    /// Removes a container that does not run. The caller holds its transition.
    pub(crate) async fn remove_ended(&self, container: &Arc<Container>, volumes: bool) -> Result<(), EngineError> {
        let record = container.change(|r| r.state.status = Status::Removing);
        container.clean().await;
        // The record first: what is left after a kill has no record then, and the next start removes it.
        let mut changes = if volumes { own_volumes::orphaning(&record) } else { Vec::new() };
        changes.push(tables::deleting::<ContainerRecord>(record.id.as_str()));
        tables::change(&self.inner.db, ContainerRecord::DURABILITY, changes).await?;
        self.inner.containers.forget(container);
        self.publish("container.destroy", record.id.as_str(), event_attributes(&record));
        let engine = self.clone();
        self.inner.tasks.spawn(async move {
            engine.discard_files(&record.id).await;
            if volumes && record.mounts.iter().any(|m| m.anonymous) {
                engine.remove_own_volumes(&record.id).await;
            }
        });
        Ok(())
    }
}
