//! The resolver process: started when the first zone is written, and again when it was killed.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// The one resolver of this daemon.
#[derive(Debug)]
pub(crate) struct ResolverSlot {
    binary: PathBuf,
    exec_root: PathBuf,
    current: Mutex<Option<Child>>,
}

impl ResolverSlot {
    pub(crate) fn new(binary: PathBuf, exec_root: PathBuf) -> Self {
        Self { binary, exec_root, current: Mutex::new(None) }
    }

    /// Starts it where it does not run.
    pub(crate) fn ensure(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None))) {
            return;
        }
        let mut command = Command::new(&self.binary);
        command.arg("names").arg("--exec-root").arg(&self.exec_root);
        command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        match command.spawn() {
            Ok(child) => *current = Some(child),
            Err(e) => tracing::warn!("names of containers are not resolved: {}: {e}", self.binary.display()),
        }
    }

    /// Ends it: without a daemon nobody keeps its zones.
    pub(crate) fn close(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut child) = current.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
