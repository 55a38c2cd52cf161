//! The folder of what runs (`--exec-root`): one daemon has it at a time, as one has the data root. Two would clear away
//! each other's containers.

use crate::EngineError;
use rustix::{
    fs::{FlockOperation, Mode, OFlags},
    io::Errno,
};
use std::{os::fd::OwnedFd, path::Path};

/// Takes the folder for as long as the descriptor is open; a killed daemon's is closed by the kernel.
pub(crate) fn claim(folder: &Path) -> Result<OwnedFd, EngineError> {
    let failed = |e| EngineError::internal(&format!("taking {}", folder.display()), std::io::Error::from(e));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(folder, flags, Mode::empty()).map_err(failed)?;
    match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(fd),
        Err(Errno::AGAIN) => Err(EngineError::conflict(format!(
            "another davitd runs in {}: end it first, or give this one a folder of its own with --exec-root",
            folder.display()
        ))),
        Err(e) => Err(failed(e)),
    }
}
