//! What a file system can do for storage drivers. Each feature is probed: found here means tried here. Nothing is left.

use crate::{
    dirs::{self, DIR},
    error::{IoContext, Result, StoreError},
    writer,
};
use davit_model::storage::Facts;
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

/// What is beneath the area that `driver` has, or would have, in a data root: in the folder itself, or where the first
/// that is there of those that lead to it is.
///
/// # Errors
/// Where none of them can be opened.
pub fn facts_at(data_root: &Path, driver: &str) -> Result<Facts> {
    let area = data_root.join("areas").join(driver);
    for folder in area.ancestors() {
        match rustix::fs::open(folder, DIR, Mode::empty()) {
            Ok(dir) => return of(dir.as_fd(), driver),
            Err(Errno::NOENT) => {}
            Err(e) => return Err(StoreError::io("open", folder.display().to_string(), e)),
        }
    }
    Err(StoreError::NotFound { kind: "folder", name: data_root.display().to_string() })
}

/// What the file system of a folder can do.
pub(crate) fn of(dir: BorrowedFd<'_>, shown: &str) -> Result<Facts> {
    let stat = rustix::fs::fstatvfs(dir).doing("look at", shown)?;
    let mut facts = Facts { free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize), ..Facts::default() };
    let mut found = |feature: &str, there: bool| {
        if there {
            facts.features.insert(feature.to_owned());
        }
    };
    // An overlay's upper must hold whiteouts and trusted attributes.
    found("overlay", mounts("overlay") && holds_overlay_marks(dir));
    // Layers must be written as well as mounted.
    found(writer::EROFS, writer::program().is_some() && mounts(writer::EROFS));
    found("reflink", reflinks(dir));
    found("btrfs", dirs::on_btrfs(dir)?);
    found("quota", limits_projects(dir));
    Ok(facts)
}

/// Whether limits on trees hold here.
pub(crate) fn limits_projects(dir: BorrowedFd<'_>) -> bool {
    davit_sys::quota::enforced(dir).unwrap_or(false)
}

/// A file without a name, gone when it is closed.
fn scratch(dir: BorrowedFd<'_>) -> Option<OwnedFd> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    rustix::fs::openat(dir, ".", flags, Mode::RUSR | Mode::WUSR).ok()
}

fn reflinks(dir: BorrowedFd<'_>) -> bool {
    let (Some(a), Some(b)) = (scratch(dir), scratch(dir)) else { return false };
    rustix::io::write(&a, &[1; 4096]).is_ok() && rustix::fs::ioctl_ficlone(&b, &a).is_ok()
}

fn holds_overlay_marks(dir: BorrowedFd<'_>) -> bool {
    let flags = rustix::fs::XattrFlags::empty();
    scratch(dir).is_some_and(|f| rustix::fs::fsetxattr(&f, "trusted.overlay.opaque", b"y", flags).is_ok())
}

/// Whether the kernel mounts file systems of that name; asking loads the module. Who may not mount reads the list.
fn mounts(name: &str) -> bool {
    davit_sys::image::known(name).unwrap_or_else(|_| {
        let list = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
        list.lines().any(|line| line.split_whitespace().next_back() == Some(name))
    })
}
