//! A container in memory: its record, the one transition that may be under way, and who waits for its end.
//!
//! The record's lock is held for field access only. What takes long (plugins, disks, netlink) happens inside a
//! [`Transition`] instead: it keeps other verbs that change the container waiting, and nobody who only looks.

use crate::{
    exec::Exec,
    record::{ContainerRecord, Status},
    supervise::Live,
    wait::WaitResult,
};
use davit_model::id::ContainerId;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// What watchers see of a container.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    /// How it is.
    pub(crate) status: Status,
    /// How many runs have ended since this daemon knows it.
    pub(crate) ends: u64,
    /// How the last run ended.
    pub(crate) last: WaitResult,
    /// Its record is gone.
    pub(crate) removed: bool,
}

/// A container.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) id: ContainerId,
    record: Mutex<ContainerRecord>,
    live: Mutex<Option<Arc<Live>>>,
    execs: Mutex<BTreeMap<String, Arc<Exec>>>,
    busy: watch::Sender<bool>,
    cleaning: watch::Sender<usize>,
    pulse: watch::Sender<Pulse>,
}

/// The right to change a container's state. Others wait until it is dropped.
#[derive(Debug)]
pub(crate) struct Transition {
    container: Arc<Container>,
}

impl Drop for Transition {
    fn drop(&mut self) {
        self.container.busy.send_replace(false);
    }
}

/// What a run left is being cleared away; the next run waits until this is dropped.
#[derive(Debug)]
pub(crate) struct Cleaning {
    container: Arc<Container>,
}

impl Cleaning {
    pub(crate) fn id(&self) -> &ContainerId {
        &self.container.id
    }
}

impl Drop for Cleaning {
    fn drop(&mut self) {
        self.container.cleaning.send_modify(|n| *n = n.saturating_sub(1));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Container {
    pub(crate) fn new(record: ContainerRecord) -> Arc<Self> {
        let pulse = Pulse {
            status: record.state.status,
            ends: 0,
            last: WaitResult { code: record.state.exit_code, error: None },
            removed: false,
        };
        Arc::new(Self {
            id: record.id.clone(),
            record: Mutex::new(record),
            live: Mutex::new(None),
            execs: Mutex::new(BTreeMap::new()),
            busy: watch::Sender::new(false),
            cleaning: watch::Sender::new(0),
            pulse: watch::Sender::new(pulse),
        })
    }

    /// Waits until no other transition is under way, then begins one.
    pub(crate) async fn begin(self: &Arc<Self>) -> Transition {
        let mut watch = self.busy.subscribe();
        loop {
            let mut mine = false;
            self.busy.send_if_modified(|busy| {
                mine = !*busy;
                *busy = true;
                mine
            });
            if mine {
                return Transition { container: self.clone() };
            }
            // An error means that the sender is gone, and the sender is a field of self.
            let _ = watch.wait_for(|busy| !busy).await;
        }
    }

    pub(crate) fn cleaning(self: &Arc<Self>) -> Cleaning {
        self.cleaning.send_modify(|n| *n += 1);
        Cleaning { container: self.clone() }
    }

    /// Waits until what earlier runs left is cleared away.
    pub(crate) async fn clean(&self) {
        // An error means that the sender is gone, and the sender is a field of self.
        let _ = self.cleaning.subscribe().wait_for(|n| *n == 0).await;
    }

    /// A copy of the record.
    pub(crate) fn record(&self) -> ContainerRecord {
        locked(&self.record).clone()
    }

    /// Reads something of the record.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&ContainerRecord) -> T) -> T {
        look(&locked(&self.record))
    }

    /// Changes the record in memory, tells watchers, and gives the record to write down.
    pub(crate) fn change(&self, change: impl FnOnce(&mut ContainerRecord)) -> ContainerRecord {
        let mut record = locked(&self.record);
        change(&mut record);
        let state = &record.state;
        self.pulse.send_modify(|p| {
            p.status = state.status;
            // Together with the status: who waits for the end reads how it was in the same look.
            if matches!(state.status, Status::Exited | Status::Restarting) {
                p.last = WaitResult { code: state.exit_code, error: None };
            }
        });
        record.clone()
    }

    /// Tells watchers that a run ended.
    pub(crate) fn ended(&self, result: WaitResult) {
        self.pulse.send_modify(|p| {
            p.ends += 1;
            p.last = result;
        });
    }

    /// Tells watchers that the record is gone.
    pub(crate) fn removed(&self) {
        self.pulse.send_modify(|p| p.removed = true);
    }

    pub(crate) fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.subscribe()
    }

    pub(crate) fn live(&self) -> Option<Arc<Live>> {
        locked(&self.live).clone()
    }

    pub(crate) fn set_live(&self, live: Option<Arc<Live>>) {
        *locked(&self.live) = live;
        self.pulse.send_modify(|_| ());
    }

    pub(crate) fn add_exec(&self, exec: Arc<Exec>) {
        locked(&self.execs).insert(exec.id.clone(), exec);
    }

    /// Forgets sessions that are over, where there are more than `keep`.
    pub(crate) fn forget_execs(&self, keep: usize, over: impl Fn(&Exec) -> bool) {
        let mut execs = locked(&self.execs);
        let surplus = execs.len().saturating_sub(keep);
        let gone: Vec<String> = execs.values().filter(|e| over(e)).take(surplus).map(|e| e.id.clone()).collect();
        for id in gone {
            execs.remove(&id);
        }
    }

    pub(crate) fn execs(&self) -> Vec<Arc<Exec>> {
        locked(&self.execs).values().cloned().collect()
    }

    pub(crate) fn exec(&self, id: &str) -> Option<Arc<Exec>> {
        locked(&self.execs).get(id).cloned()
    }
}
