//! Takes down what nobody has to wait for: a veth pair costs the kernel tens of milliseconds. All of it can be done
//! again, so a daemon that dies in between leaves it to the next one.

use crate::{Engine, container::Cleaning, record::EndpointRecord};
use davit_sys::fault::point;
use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

/// How long processes on their way out may keep a control group busy.
const PATIENCE: Duration = Duration::from_secs(20);

impl Engine {
    /// Takes down what a run that has ended had: control group, run folder, endpoint.
    pub(crate) fn reap(&self, cleaning: Cleaning, endpoint: Option<EndpointRecord>) {
        let (engine, id) = (self.clone(), cleaning.id().clone());
        self.inner.tasks.spawn(async move {
            if let Err(e) = engine.clear_run(&id).await {
                tracing::warn!(container = %id, "{e}");
            }
            drop(cleaning);
            if let Some(endpoint) = endpoint
                && let Err(e) = engine.disconnect(&endpoint.id, &endpoint.plan).await
            {
                tracing::warn!(container = %id, "{e}; the next start tries again");
            }
        });
    }

    /// Removes a run's control group and run folder.
    pub(crate) async fn clear_run(&self, id: &davit_model::id::ContainerId) -> Result<(), crate::EngineError> {
        let (cgroups, path, run) = (self.inner.cgroups.clone(), self.inner.cgroup_path(id), self.inner.run_dir(id));
        let cleared = tokio::task::spawn_blocking(move || {
            cgroups.remove(&path, PATIENCE).map_err(|e| crate::EngineError::internal("removing a control group", e))?;
            point("reap.group");
            let begun = Instant::now();
            loop {
                match std::fs::remove_dir_all(&run) {
                    // A monitor on its way out writes its last record while the folder is being emptied.
                    Err(e) if e.kind() == ErrorKind::DirectoryNotEmpty && begun.elapsed() < PATIENCE => {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    Err(e) if e.kind() != ErrorKind::NotFound => {
                        return Err(crate::EngineError::internal(&format!("removing {}", run.display()), e));
                    }
                    _ => break,
                }
            }
            point("reap.folder");
            Ok(())
        });
        cleared.await.map_err(|e| crate::EngineError::internal("clearing a run", e))?
    }

    /// Removes a container's root and folder.
    pub(crate) async fn discard_files(&self, id: &davit_model::id::ContainerId) {
        if let Err(e) = self.inner.store.remove_root(id).await {
            tracing::warn!(container = %id, "removing its root: {e}");
        }
        let dir = self.inner.container_dir(id);
        let gone = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(dir)).await;
        point("remove.folder");
        if let Ok(Err(e)) = gone
            && e.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(container = %id, "removing its folder: {e}");
        }
    }
}
