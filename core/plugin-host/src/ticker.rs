//! The epoch clock: a thread that ticks every 10 ms while a call is in flight, and sleeps otherwise.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};
use wasmtime::Engine;

/// The time between two ticks.
pub(crate) const TICK: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    in_flight: usize,
    /// The thread waits to be told of a call; telling it costs a system call.
    sleeping: bool,
    stopped: bool,
}

/// The clock; it stops when dropped.
#[derive(Debug)]
pub(crate) struct Ticker(Arc<Shared>);

/// One call in flight.
#[derive(Debug)]
pub(crate) struct Ticking(Arc<Shared>);

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (own, weak) = (shared.clone(), engine.weak());
        thread::Builder::new().name("davit-epochs".to_owned()).spawn(move || {
            loop {
                let mut state = own.state.lock().unwrap_or_else(PoisonError::into_inner);
                while state.in_flight == 0 && !state.stopped {
                    state.sleeping = true;
                    state = own.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                state.sleeping = false;
                if state.stopped {
                    return;
                }
                drop(state);
                thread::sleep(TICK);
                match weak.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        })?;
        Ok(Self(shared))
    }

    /// A call begins.
    pub(crate) fn begin(&self) -> Ticking {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.in_flight += 1;
        if std::mem::take(&mut state.sleeping) {
            self.0.changed.notify_one();
        }
        Ticking(self.0.clone())
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.0.changed.notify_one();
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.in_flight = state.in_flight.saturating_sub(1);
    }
}
