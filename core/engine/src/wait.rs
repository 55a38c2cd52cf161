//! `wait`: until a container ends, ends next, or is gone.

use crate::{Engine, EngineError, record::Status};
use std::future::Future;

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitCondition {
    /// It does not run; true at once for one that never started.
    #[default]
    NotRunning,
    /// A run ends, counted from now.
    NextExit,
    /// Its record is gone.
    Removed,
}

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitResult {
    /// Exit status; 128 + signal where a signal ended it.
    pub code: i64,
    /// Why it could not be started.
    pub error: Option<String>,
}

impl Engine {
    /// Registers a waiter now and gives the future that waits: what happens between the two is not missed.
    pub async fn wait(
        &self,
        name: &str,
        condition: WaitCondition,
    ) -> Result<impl Future<Output = WaitResult> + Send + 'static, EngineError> {
        let container = self.inner.containers.find(name)?;
        let mut pulse = container.pulse();
        let before = pulse.borrow_and_update().ends;
        Ok(async move {
            let done = |p: &crate::container::Pulse| match condition {
                WaitCondition::NotRunning => {
                    p.removed || !matches!(p.status, Status::Running | Status::Paused | Status::Restarting)
                }
                WaitCondition::NextExit => p.removed || p.ends > before,
                WaitCondition::Removed => p.removed,
            };
            match pulse.wait_for(done).await {
                // Who waits for a coming end has started it, and is told by the start why that failed: Docker's client
                // would say it twice.
                Ok(p) if condition != WaitCondition::NotRunning => WaitResult { error: None, ..p.last.clone() },
                Ok(p) => p.last.clone(),
                Err(_) => WaitResult { code: -1, error: Some("the container's record was dropped".into()) },
            }
        })
    }
}
