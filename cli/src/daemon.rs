//! Becoming davitd: where its binary is, and how a process turns into it.

use crate::error::{Error, Result};
use std::{
    ffi::OsString,
    fs,
    os::{fd::RawFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

/// Names the daemon's binary, past all search.
pub(crate) const BINARY: &str = "DAVIT_DAEMON";
const NAME: &str = "davitd";

/// The daemon's binary: beside ours, else on the path.
pub(crate) fn find() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(BINARY) {
        return Ok(PathBuf::from(path));
    }
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(NAME)));
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&on_path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(NAME));
    beside.into_iter().chain(on_path).find(|path| is_program(path)).ok_or_else(|| {
        Error::Start("there is no davitd beside davit and none on the PATH; build or install it".to_owned())
    })
}

fn is_program(path: &Path) -> bool {
    nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok() && path.is_file()
}

/// Turns this process into the daemon; returns only where that fails.
pub(crate) fn exec(words: Vec<OsString>) -> Result<crate::error::Exit> {
    let davitd = find()?;
    let source = Command::new(&davitd).args(words).exec();
    Err(Error::Io { operation: "execute", object: davitd.display().to_string(), source })
}

/// Leaves everything of the caller's behind: session, directory, file mode mask, descriptors.
pub(crate) fn leave_caller() -> Result<()> {
    // Fails only where we lead a session already, which is what is wanted.
    let _ = nix::unistd::setsid();
    std::env::set_current_dir("/").map_err(Error::io("change to", "/"))?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    for fd in open_descriptors().into_iter().filter(|fd| *fd > 2) {
        // The descriptor that listed the directory is in the list and gone by now.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}

fn open_descriptors() -> Vec<RawFd> {
    let Ok(dir) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
    dir.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
