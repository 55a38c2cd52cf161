//! `rm`: a container's record, name and ports go at once; veth, cgroup and files go in the reaper.

use crate::{Engine, EngineError, record::Status};
use davit_model::id::Caller;

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
        if options.force && container.read(|r| r.state.status.has_process()) {
            self.kill_and_wait(&container).await?;
        }
        let transition = container.begin().await;
        let status = container.read(|r| r.state.status);
        if container.pulse().borrow().removed {
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
