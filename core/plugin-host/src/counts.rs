//! How a plugin's calls went: for the operator who asks, and for the conformance suite, which must tell an error that the
//! plugin answered from one that the host had to find.

use serde::{Deserialize, Serialize};
use std::{
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    /// With an answer.
    Answered,
    /// With an error of the plugin's own.
    Refused,
    /// By the host: a trap, a limit, the deadline.
    Trapped,
}

/// The counters of one loaded plugin.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    answered: AtomicU64,
    refused: AtomicU64,
    trapped: AtomicU64,
    nanoseconds: AtomicU64,
    longest: AtomicU64,
}

/// Counts the calls of whatever is loaded with it; a plugin that is loaded again goes on where its last one was.
#[derive(Clone, Debug, Default)]
pub struct Counter(pub(crate) Arc<Counts>);

impl Counter {
    /// What was counted so far.
    pub fn read(&self) -> Counted {
        self.0.read()
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Calls that ended with an answer.
    pub answered: u64,
    /// Calls that ended with an error of the plugin's own.
    pub refused: u64,
    /// Calls that the host ended: traps, limits, deadlines.
    pub trapped: u64,
    /// Time in calls, all together.
    pub total: Duration,
    /// The longest call.
    pub longest: Duration,
}

impl Counts {
    pub(crate) fn count(&self, end: End, took: Duration) {
        let counter = match end {
            End::Answered => &self.answered,
            End::Refused => &self.refused,
            End::Trapped => &self.trapped,
        };
        counter.fetch_add(1, Relaxed);
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(took, Relaxed);
        self.longest.fetch_max(took, Relaxed);
    }

    /// How the one call ended that was counted here.
    pub(crate) fn only(&self) -> End {
        match (self.trapped.load(Relaxed), self.refused.load(Relaxed)) {
            (0, 0) => End::Answered,
            (0, _) => End::Refused,
            (_, _) => End::Trapped,
        }
    }

    pub(crate) fn read(&self) -> Counted {
        Counted {
            answered: self.answered.load(Relaxed),
            refused: self.refused.load(Relaxed),
            trapped: self.trapped.load(Relaxed),
            total: Duration::from_nanos(self.nanoseconds.load(Relaxed)),
            longest: Duration::from_nanos(self.longest.load(Relaxed)),
        }
    }
}
