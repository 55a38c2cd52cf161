//! The end of a call's time. Past its deadline, or when its caller has gone, a flag is set; from then on every host
//! function and every epoch tick traps. The call itself is never dropped.

use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// One call's time.
#[derive(Debug)]
pub(crate) struct Control {
    began: Instant,
    deadline: Duration,
    over: CancellationToken,
}

impl Control {
    pub(crate) fn new(deadline: Duration) -> Self {
        Self { began: Instant::now(), deadline, over: CancellationToken::new() }
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// How much of its time is left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_sub(self.began.elapsed())
    }

    /// Ends the call's time now.
    pub(crate) fn end(&self) {
        self.over.cancel();
    }

    /// Whether the time is over.
    pub(crate) fn is_over(&self) -> bool {
        self.over.is_cancelled() || self.began.elapsed() > self.deadline
    }

    /// A trap where the time is over.
    pub(crate) fn check(&self) -> wasmtime::Result<()> {
        if self.over.is_cancelled() { Err(wasmtime::Trap::Interrupt.into()) } else { Ok(()) }
    }

    /// Waits for something, but not past the end.
    pub(crate) async fn wait<T>(&self, what: impl Future<Output = T>) -> wasmtime::Result<T> {
        tokio::select! {
            biased;
            answer = what => Ok(answer),
            () = self.over.cancelled() => Err(wasmtime::Trap::Interrupt.into()),
        }
    }
}
