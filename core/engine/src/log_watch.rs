//! Tells followers of a log that it grew: one inotify instance for all logs, because instances are scarce (128 a user).

use crate::{
    EngineError,
    polled::{Polled, readable},
};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// The watches of all logs that are followed.
#[derive(Clone, Debug)]
pub(crate) struct LogWatch(Arc<Watches>);

#[derive(Debug)]
struct Watches {
    inotify: Polled<Inotify>,
    growing: Mutex<HashMap<WatchDescriptor, watch::Sender<()>>>,
}

/// One follower's view of one log.
#[derive(Debug)]
pub(crate) struct Grown(watch::Receiver<()>);

impl Grown {
    /// Returns when the log was written to since the last call (or since the follower began).
    pub(crate) async fn wait(&mut self) {
        // The sender lives as long as there is a receiver.
        let _ = self.0.changed().await;
    }
}

impl LogWatch {
    /// Must be called inside tokio's runtime. The reader ends with the last clone.
    pub(crate) fn new() -> Result<Self, EngineError> {
        let failed = |e: &dyn std::fmt::Display| EngineError::internal("watching logs", e);
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(|e| failed(&e))?;
        let inotify = readable(inotify).map_err(|e| failed(&e))?;
        let watches = Arc::new(Watches { inotify, growing: Mutex::default() });
        let weak = Arc::downgrade(&watches);
        tokio::spawn(async move {
            while let Some(watches) = weak.upgrade() {
                let patience = std::time::Duration::from_secs(30);
                // Looked up again now and then, so that the task ends after the last owner.
                if let Ok(Err(e)) = tokio::time::timeout(patience, watches.tell()).await {
                    tracing::warn!("watching logs: {e}");
                }
            }
        });
        Ok(Self(watches))
    }

    /// Begins to follow a log.
    pub(crate) fn follow(&self, path: &Path) -> Result<Grown, EngineError> {
        let mut growing = self.0.growing();
        let watch = self.0.inotify.get_ref().get().add_watch(path, AddWatchFlags::IN_MODIFY);
        let watch = watch.map_err(|e| EngineError::internal(&format!("watching {}", path.display()), e))?;
        // The kernel gives one number a file, however often it is asked.
        Ok(Grown(growing.entry(watch).or_insert_with(|| watch::Sender::new(())).subscribe()))
    }
}

impl Watches {
    fn growing(&self) -> MutexGuard<'_, HashMap<WatchDescriptor, watch::Sender<()>>> {
        self.growing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for events and passes them on. Watches that nobody waits for any more end.
    async fn tell(&self) -> Result<(), nix::errno::Errno> {
        let Ok(mut ready) = self.inotify.readable().await else { return Ok(()) };
        let events = match self.inotify.get_ref().get().read_events() {
            Err(nix::errno::Errno::EAGAIN) => {
                ready.clear_ready();
                return Ok(());
            }
            other => other?,
        };
        let mut growing = self.growing();
        for event in events {
            let Some(sender) = growing.get(&event.wd) else { continue };
            if sender.receiver_count() == 0 {
                growing.remove(&event.wd);
                // It may be gone with its file already.
                let _ = self.inotify.get_ref().get().rm_watch(event.wd);
            } else {
                sender.send_replace(());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write as _, time::Duration};

    #[tokio::test]
    async fn every_follower_of_a_file_hears_of_its_growth() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut file = std::fs::File::create(&path).unwrap();
        let watch = LogWatch::new().unwrap();
        let (mut one, mut two) = (watch.follow(&path).unwrap(), watch.follow(&path).unwrap());
        assert!(tokio::time::timeout(Duration::from_millis(50), one.wait()).await.is_err(), "nothing was written");
        for _ in 0..3 {
            file.write_all(b"x").unwrap();
            for follower in [&mut one, &mut two] {
                tokio::time::timeout(Duration::from_secs(5), follower.wait()).await.unwrap();
            }
        }
    }
}
