//! The working directory: made where it is missing, entered by descriptor, and then proved to lie inside the root.

use super::resolve;
use crate::failure::{At, Failure, Stage};
use rustix::fs::{CWD, OFlags, ResolveFlags};
use std::os::fd::BorrowedFd;
use std::path::Path;

/// Enters `path` of the root, which is also the process's own root. A path through `/proc/self/fd` is a magic link and
/// refused (CVE-2024-21626); a symlink is followed inside the root only.
pub(super) fn enter(root: BorrowedFd<'_>, path: &Path, make: bool) -> Result<(), Failure> {
    let what = || format!("enter working directory {}", path.display());
    if !path.is_absolute() {
        return Err(Failure::new(Stage::WorkDir, format!("working directory {:?} is not absolute", path.display())));
    }
    let folder = if make {
        resolve::folder(root, path)
    } else {
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        resolve::open(root, path, OFlags::PATH | OFlags::DIRECTORY, how)
    };
    let folder = folder.at(Stage::WorkDir, what)?;
    rustix::process::fchdir(&folder).at(Stage::WorkDir, what)?;
    verify().at(Stage::WorkDir, || format!("verify working directory {}", path.display()))
}

/// `getcwd(2)` answers `(unreachable)…` for a folder outside the process's root.
fn verify() -> std::io::Result<()> {
    let here = rustix::process::getcwd(Vec::new())?;
    if here.as_bytes().first() == Some(&b'/') {
        return Ok(());
    }
    // Nothing may run with it, not even the report of this failure.
    rustix::process::fchdir(rustix::fs::openat(
        CWD,
        "/",
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?)?;
    Err(std::io::Error::from_raw_os_error(nix::libc::EXDEV))
}
