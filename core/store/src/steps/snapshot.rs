//! A writable btrfs snapshot. The kernel leaves an empty folder where another subvolume is within; what is in that one
//! is copied, so that the snapshot is the whole tree.

use crate::{
    area::Area,
    copy::{copy_tree, times},
    dirs::{self, BENEATH, DIR},
    error::{IoContext, Result, StoreError},
};
use davit_model::storage::Place;
use davit_sys::{btrfs, fault::point};
use rustix::fs::{AtFlags, FileType, Mode};
use std::{
    ffi::CStr,
    os::fd::{AsFd, OwnedFd},
};

pub(super) fn apply(area: &Area, src: &Place, dst: &Place) -> Result<()> {
    if !dirs::on_btrfs(area.fd())? {
        return Err(StoreError::Unsupported { step: "snapshot", feature: "btrfs".into() });
    }
    let from = area.open_dir(src)?;
    if !dirs::is_subvolume(from.as_fd())? {
        let why = format!("{src} is no btrfs subvolume, which alone can be snapshotted");
        return Err(StoreError::Plan { driver: area.driver().into(), why });
    }
    btrfs::snapshot(from.as_fd(), area.fd(), &area.name(dst)?).doing("snapshot", area.shown(src))?;
    point("store.snapshot");
    if btrfs::has_nested(from.as_fd()).doing("look for subvolumes in", area.shown(src))? {
        copy_nested(&from, &area.open_dir(dst)?)?;
    }
    Ok(())
}

/// With all that was put into it since.
pub(super) fn undo(area: &Area, dst: &Place) -> Result<()> {
    dirs::remove_tree(area.fd(), &area.name(dst)?)
}

fn open(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd> {
    let at = if path.is_empty() { b".".as_slice() } else { path };
    rustix::fs::openat2(root, at, DIR, Mode::empty(), BENEATH).doing("open folder", String::from_utf8_lossy(path))
}

/// Looks through all folders of `from` for subvolumes, and copies each to its place in `to`.
fn copy_nested(from: &OwnedFd, to: &OwnedFd) -> Result<()> {
    // Paths instead of recursion: depth costs neither stack nor descriptors.
    let mut waiting = vec![Vec::new()];
    while let Some(path) = waiting.pop() {
        let folder = open(from, &path)?;
        for name in dirs::names(&folder)? {
            let stat = rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW)
                .doing("look at", name.to_string_lossy())?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                continue;
            }
            if stat.st_ino == btrfs::ROOT_INODE {
                copy_one(&folder, &open(to, &path)?, &name)?;
            } else {
                let slash: &[u8] = if path.is_empty() { b"" } else { b"/" };
                waiting.push([path.as_slice(), slash, name.to_bytes()].concat());
            }
        }
    }
    Ok(())
}

fn copy_one(from: &OwnedFd, to: &OwnedFd, name: &CStr) -> Result<()> {
    let open = |at: &OwnedFd| rustix::fs::openat(at, name, DIR, Mode::empty()).doing("open", name.to_string_lossy());
    // The kernel's own mark of the missing subvolume: nothing can be made in it.
    rustix::fs::unlinkat(to, name, AtFlags::REMOVEDIR).doing("remove", name.to_string_lossy())?;
    rustix::fs::mkdirat(to, name, Mode::RWXU).doing("make folder", name.to_string_lossy())?;
    copy_tree(open(from)?, open(to)?)?;
    let looks = rustix::fs::fstat(from).doing("look at", "a folder")?;
    rustix::fs::futimens(to, &times(&looks)).doing("set the time of", "a folder")
}
