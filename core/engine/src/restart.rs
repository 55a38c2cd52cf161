//! `restart` by hand, and the restart policy's decision when a container ends.

use crate::{Engine, EngineError, Kind, StopOptions, record::ContainerRecord};
use davit_model::id::Caller;
use std::time::Duration;

impl Engine {
    /// Stops a container, where it runs, and starts it.
    pub async fn restart(&self, caller: &Caller, name: &str, options: &StopOptions) -> Result<(), EngineError> {
        match self.stop(caller, name, options).await {
            Err(e) if e.kind() != Kind::NotModified => return Err(e),
            _ => {}
        }
        match self.start(caller, name).await {
            // Somebody else started it in between.
            Err(e) if e.kind() == Kind::NotModified => {}
            other => other?,
        }
        let container = self.inner.containers.find(name)?;
        self.publish("container.restart", container.id.as_str(), crate::create::event_attributes(&container.record()));
        Ok(())
    }
}

/// How long to wait before the container that has just ended is started again; none: it stays down. The wait doubles
/// from 100 ms to a minute, as Docker's.
pub(crate) fn restart_delay(record: &ContainerRecord) -> Option<Duration> {
    let again = match record.spec.restart_policy.as_deref().unwrap_or("no") {
        "always" | "unless-stopped" => !record.state.stopped_by_hand,
        "on-failure" => {
            let left = record.spec.restart_max == 0 || record.state.restarts < record.spec.restart_max;
            record.state.exit_code != 0 && left && !record.state.stopped_by_hand
        }
        _ => false,
    };
    let doublings = record.state.restarts.min(10);
    again.then(|| Duration::from_millis((100u64 << doublings).min(60_000)))
}
