//! `stop`: the container's stop signal, then, after its grace, SIGKILL.

use crate::{
    Engine, EngineError, Kind,
    create::event_attributes,
    kill::{parse_signal, wait_for_end},
};
use davit_model::id::Caller;
use std::time::Duration;

/// Docker's default grace.
const DEFAULT_TIMEOUT: i64 = 10;

/// How a container is stopped, by `stop` and by `restart`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopOptions {
    /// Seconds that the process has before it is killed; negative: for ever. None: the container's own, or 10.
    pub timeout: Option<i64>,
    /// The signal that asks it to stop. None: the container's own.
    pub signal: Option<String>,
}

impl Engine {
    /// Stops a container.
    pub async fn stop(&self, caller: &Caller, name: &str, options: &StopOptions) -> Result<(), EngineError> {
        let container = self.inner.containers.find(name)?;
        self.admit(&crate::lifecycle::container_operation("container.stop", caller, &container.record())?).await?;
        let (stop_signal, own_timeout) = container.read(|r| (r.process.stop_signal.clone(), r.spec.stop_timeout));
        let signal = parse_signal(options.signal.as_deref().unwrap_or(&stop_signal))?;
        container.change(|r| r.state.stopped_by_hand = true);
        let Some(live) = container.live() else {
            if container.read(|r| r.state.status == crate::record::Status::Restarting) {
                self.cancel_restart(&container).await?;
                return Ok(());
            }
            return Err(EngineError::new(Kind::NotModified, "the container does not run"));
        };
        live.signal(signal)?;
        self.thaw(&container).await?;
        let timeout = options.timeout.or(own_timeout).unwrap_or(DEFAULT_TIMEOUT);
        let grace = match u64::try_from(timeout) {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => Duration::from_secs(u64::from(u32::MAX)),
        };
        if !wait_for_end(&container, grace).await {
            self.kill_and_wait(&container).await?;
        }
        self.publish("container.stop", container.id.as_str(), event_attributes(&container.record()));
        Ok(())
    }
}
