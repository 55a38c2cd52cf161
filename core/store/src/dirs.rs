//! Folders by descriptor: the few calls that every part of the store needs. Names are single components, and links are
//! never followed.

mod remove;

pub(crate) use remove::remove_tree;

use crate::error::{IoContext, Result, StoreError};
use davit_sys::btrfs;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use std::{
    ffi::{CStr, CString},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// How folders are opened.
pub(crate) const DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

/// Resolution that neither leaves the folder nor follows any link.
pub(crate) const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// Opens a folder of ours, made with mode 0700 where it is missing.
pub(crate) fn make(at: &OwnedFd, name: &str) -> Result<OwnedFd> {
    match rustix::fs::mkdirat(at, name, Mode::RWXU) {
        Ok(()) => rustix::fs::fsync(at).doing("flush the folder of", name)?,
        Err(rustix::io::Errno::EXIST) => {}
        Err(e) => return Err(StoreError::io("make folder", name, e)),
    }
    rustix::fs::openat(at, name, DIR, Mode::empty()).doing("open folder", name)
}

/// The names in a folder, without `.` and `..`.
pub(crate) fn names(dir: impl AsFd) -> Result<Vec<CString>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(dir).doing("list", "a folder")? {
        let entry = entry.doing("list", "a folder")?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            found.push(entry.file_name().to_owned());
        }
    }
    Ok(found)
}

/// The type of an entry; none where there is none.
pub(crate) fn kind(at: impl AsFd, name: &CStr) -> Result<Option<FileType>> {
    match rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(e) => Err(StoreError::io("look at", name.to_string_lossy(), e)),
    }
}

/// Whether an open folder is a btrfs subvolume's own.
pub(crate) fn is_subvolume(dir: BorrowedFd<'_>) -> Result<bool> {
    let stat = rustix::fs::fstat(dir).doing("look at", "a folder")?;
    Ok(stat.st_ino == btrfs::ROOT_INODE && on_btrfs(dir)?)
}

/// Whether a folder is in a btrfs.
pub(crate) fn on_btrfs(dir: impl AsFd) -> Result<bool> {
    Ok(rustix::fs::fstatfs(dir).doing("look at", "a folder")?.f_type == btrfs::MAGIC)
}
