//! `pause` and `unpause`: all processes of a container stop where they are, and go on.

use crate::{
    Engine, EngineError,
    container::Container,
    create::event_attributes,
    launch::cgroup_error,
    record::{ContainerRecord, Status},
};
use davit_model::id::Caller;
use std::{sync::Arc, time::Duration};

/// How long a group may take to stop: a process in the kernel stops when it leaves it.
const PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// Stops every process of a container.
    pub async fn pause(&self, caller: &Caller, name: &str) -> Result<(), EngineError> {
        let container = self.inner.containers.find(name)?;
        self.admit(&crate::lifecycle::container_operation("container.pause", caller, &container.record())?).await?;
        let _transition = container.begin().await;
        match container.read(|r| r.state.status) {
            Status::Running => {}
            Status::Paused => {
                return Err(EngineError::conflict(format!("Container {} is already paused", container.id)));
            }
            _ => return Err(EngineError::conflict(format!("Container {} is not running", container.id))),
        }
        if let Err(e) = self.freeze(&container, true).await {
            // What stopped in part goes on.
            if let Err(e) = self.freeze(&container, false).await {
                tracing::warn!(container = %container.id, "{e}");
            }
            return Err(e);
        }
        self.set_paused(&container, true).await?;
        self.publish("container.pause", container.id.as_str(), event_attributes(&container.record()));
        Ok(())
    }

    /// Lets them go on.
    pub async fn unpause(&self, caller: &Caller, name: &str) -> Result<(), EngineError> {
        let container = self.inner.containers.find(name)?;
        self.admit(&crate::lifecycle::container_operation("container.unpause", caller, &container.record())?).await?;
        let _transition = container.begin().await;
        if container.read(|r| r.state.status) != Status::Paused {
            return Err(EngineError::conflict(format!("Container {} is not paused", container.id)));
        }
        self.thaw(&container).await
    }

    /// Lets a paused container go on; nothing to do for another. A signal that is to end it needs that.
    pub(crate) async fn thaw(&self, container: &Arc<Container>) -> Result<(), EngineError> {
        if container.read(|r| r.state.status) != Status::Paused {
            return Ok(());
        }
        self.freeze(container, false).await?;
        self.set_paused(container, false).await?;
        self.publish("container.unpause", container.id.as_str(), event_attributes(&container.record()));
        Ok(())
    }

    /// A daemon that was killed between a freeze and its record leaves the two apart: the group is right.
    pub(crate) async fn match_paused(&self, container: &Arc<Container>) -> Result<(), EngineError> {
        let (cgroups, path) = (self.inner.cgroups.clone(), self.inner.cgroup_path(&container.id));
        let look = move || cgroups.open(&path).and_then(|group| group.frozen());
        // A machine without a freezer has no paused containers.
        let frozen = tokio::task::spawn_blocking(look).await.is_ok_and(|found| found.unwrap_or(false));
        self.set_paused(container, frozen).await
    }

    async fn freeze(&self, container: &Container, freeze: bool) -> Result<(), EngineError> {
        let (cgroups, path) = (self.inner.cgroups.clone(), self.inner.cgroup_path(&container.id));
        let work = move || {
            let group = cgroups.open(&path)?;
            if freeze { group.freeze(PATIENCE) } else { group.thaw(PATIENCE) }
        };
        let what = if freeze { "pausing a container" } else { "unpausing a container" };
        let done = tokio::task::spawn_blocking(work).await.map_err(|e| EngineError::internal(what, e))?;
        done.map_err(|e| cgroup_error(e).context(what))
    }

    /// Changes the record of a container that has a process, and of no other: it may have ended meanwhile.
    async fn set_paused(&self, container: &Container, paused: bool) -> Result<(), EngineError> {
        let (from, to) = if paused { (Status::Running, Status::Paused) } else { (Status::Paused, Status::Running) };
        let mut changed = false;
        let change = |r: &mut ContainerRecord| {
            changed = r.state.status == from;
            if changed {
                r.state.status = to;
            }
        };
        let saved = container.change(change);
        if changed { self.inner.save(&saved).await } else { Ok(()) }
    }
}
