//! Observers of the lifecycle chain: they get events one after the other, in the order in which they happened, from a
//! task that nobody waits for. What comes while too much waits already is dropped, and they are told how much that was.

use crate::{Engine, engine::now_ms};
use davit_model::lifecycle::Event;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc;

/// How many events wait for observers.
const WAITING: usize = 4096;

/// Events on their way to observers.
#[derive(Debug)]
pub(crate) struct Observers {
    to: mpsc::Sender<Event>,
    from: Mutex<Option<mpsc::Receiver<Event>>>,
    dropped: AtomicU64,
}

impl Observers {
    pub(crate) fn new() -> Self {
        let (to, from) = mpsc::channel(WAITING);
        Self { to, from: Mutex::new(Some(from)), dropped: AtomicU64::new(0) }
    }

    pub(crate) fn tell(&self, event: Event) {
        if self.to.try_send(event).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Engine {
    /// Hands events to observers, until the engine closes and none waits any more.
    pub(crate) fn keep_observing(&self) {
        let observers = &self.inner.observers;
        let Some(mut from) = observers.from.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let engine = self.clone();
        self.inner.tasks.spawn(async move {
            loop {
                let event = tokio::select! {
                    biased;
                    event = from.recv() => event,
                    () = engine.inner.closing.cancelled() => None,
                };
                let Some(event) = event else { return };
                let chain = engine.inner.policy().lifecycle.clone();
                let dropped = engine.inner.observers.dropped.swap(0, Ordering::Relaxed);
                let gap = (dropped > 0).then(|| Event {
                    kind: "events.dropped".to_owned(),
                    actor: String::new(),
                    time_ms: now_ms(),
                    attributes: BTreeMap::from([("count".to_owned(), dropped.to_string())]),
                });
                for event in gap.iter().chain([&event]) {
                    for hooked in chain.iter().filter(|h| h.policy.hooks().observe) {
                        if let Err(e) = hooked.policy.observe(event).await {
                            tracing::warn!(event = event.kind, "observe: {e}");
                        }
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_while_too_much_waits_is_counted() {
        let event =
            Event { kind: "container.start".to_owned(), actor: String::new(), time_ms: 1, attributes: BTreeMap::new() };
        let observers = Observers::new();
        for _ in 0..WAITING + 3 {
            observers.tell(event.clone());
        }
        assert_eq!(observers.dropped.load(Ordering::Relaxed), 3);
    }
}
