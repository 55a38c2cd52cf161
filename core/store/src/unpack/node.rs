//! Files, folders, links and devices, made in an opened parent. Owner before mode and attributes: changing the owner
//! takes set-id bits and capabilities away. Modes are set, never left to the umask.

use super::{tree::times, xattr};
use crate::{
    archive::{Entry, Kind},
    dirs::DIR,
    error::{IoContext, Result, StoreError},
};
use rustix::{
    fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid},
    io::Errno,
};
use std::{
    ffi::CStr,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::fd::{AsFd, OwnedFd},
};

/// An entry's name for messages; made into text only where there is an error.
struct Shown<'a>(&'a Entry);

impl From<Shown<'_>> for String {
    fn from(Shown(entry): Shown<'_>) -> Self {
        format!("entry {:?}", String::from_utf8_lossy(&entry.path).chars().take(200).collect::<String>())
    }
}

fn shown(entry: &Entry) -> Shown<'_> {
    Shown(entry)
}

pub(super) fn refused(entry: &Entry, why: &str) -> StoreError {
    StoreError::archive(format!("{}: {why}", String::from(shown(entry))))
}

fn owner(entry: &Entry) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))
}

fn mode(entry: &Entry) -> Mode {
    Mode::from_raw_mode(entry.mode)
}

fn xattrs(fd: impl AsFd, entry: &Entry) -> Result<()> {
    if entry.xattrs.is_empty() {
        return Ok(());
    }
    xattr::set(fd, entry.kind, &entry.xattrs, &String::from(shown(entry)))
}

/// Owner, mode and attributes of a folder; of one that was there before, instead of what it had.
pub(super) fn dress_dir(dir: &OwnedFd, there: bool, entry: &Entry) -> Result<()> {
    let (uid, gid) = owner(entry);
    rustix::fs::fchown(dir, uid, gid).doing("set the owner of", shown(entry))?;
    rustix::fs::fchmod(dir, mode(entry)).doing("set the mode of", shown(entry))?;
    if there {
        xattr::clear(dir, entry.kind, &String::from(shown(entry)))?;
    }
    xattrs(dir, entry)
}

/// A folder; one that is there keeps its contents.
pub(super) fn directory(parent: &OwnedFd, name: &CStr, there: bool, entry: &Entry) -> Result<OwnedFd> {
    if !there {
        rustix::fs::mkdirat(parent, name, Mode::RWXU).doing("make", shown(entry))?;
    }
    let dir = rustix::fs::openat(parent, name, DIR, Mode::empty()).doing("open", shown(entry))?;
    dress_dir(&dir, there, entry)?;
    Ok(dir)
}

pub(super) fn regular(parent: &OwnedFd, name: &CStr, entry: &Entry, data: &mut impl Read) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR).doing("make", shown(entry))?;
    let mut file = File::from(fd);
    match &entry.sparse {
        None => copy(data, &mut file, entry.size, entry)?,
        Some(segments) => {
            file.set_len(entry.size).doing("size", shown(entry))?;
            for (offset, length) in segments {
                file.seek(SeekFrom::Start(*offset)).doing("seek in", shown(entry))?;
                copy(data, &mut file, *length, entry)?;
            }
        }
    }
    let (uid, gid) = owner(entry);
    rustix::fs::fchown(&file, uid, gid).doing("set the owner of", shown(entry))?;
    rustix::fs::fchmod(&file, mode(entry)).doing("set the mode of", shown(entry))?;
    xattrs(&file, entry)?;
    rustix::fs::futimens(&file, &times(entry.mtime)).doing("set the time of", shown(entry))
}

/// Exactly `length` bytes. Errors of the stream are told from errors of the disk.
fn copy(data: &mut impl Read, file: &mut File, length: u64, entry: &Entry) -> Result<()> {
    let mut buffer = [0; 1 << 16];
    let mut left = length;
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(buffer.len()).min(buffer.len());
        let n = match data.read(buffer.get_mut(..want).unwrap_or_default()) {
            Ok(0) => return Err(crate::archive::input::failed(io::ErrorKind::UnexpectedEof.into())),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(crate::archive::input::failed(e)),
        };
        file.write_all(buffer.get(..n).unwrap_or_default()).doing("write", shown(entry))?;
        left -= u64::try_from(n).unwrap_or(left);
    }
    Ok(())
}

pub(super) fn symlink(parent: &OwnedFd, name: &CStr, entry: &Entry) -> Result<()> {
    // The target is text for the container; nothing here ever follows it.
    rustix::fs::symlinkat(entry.link.as_slice(), parent, name).doing("make", shown(entry))?;
    let (uid, gid) = owner(entry);
    let no_follow = AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::chownat(parent, name, uid, gid, no_follow).doing("set the owner of", shown(entry))?;
    rustix::fs::utimensat(parent, name, &times(entry.mtime), no_follow).doing("set the time of", shown(entry))
}

pub(super) fn special(parent: &OwnedFd, name: &CStr, entry: &Entry) -> Result<()> {
    let kind = match entry.kind {
        Kind::Fifo => FileType::Fifo,
        Kind::BlockDevice => FileType::BlockDevice,
        // An overlay's whiteout: it would delete in one style of driver what it does not in another.
        _ if entry.device == (0, 0) => return Err(refused(entry, "device 0/0 is overlayfs's whiteout")),
        _ => FileType::CharacterDevice,
    };
    let device = rustix::fs::makedev(entry.device.0, entry.device.1);
    rustix::fs::mknodat(parent, name, kind, mode(entry), device).doing("make", shown(entry))?;
    let (uid, gid) = owner(entry);
    let no_follow = AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::chownat(parent, name, uid, gid, no_follow).doing("set the owner of", shown(entry))?;
    // Made just now in a folder that only we write to, and no link.
    rustix::fs::chmodat(parent, name, mode(entry), AtFlags::empty()).doing("set the mode of", shown(entry))?;
    rustix::fs::utimensat(parent, name, &times(entry.mtime), no_follow).doing("set the time of", shown(entry))
}

/// A second name for a file. The target's parents are resolved beneath the layer, the target itself is not followed.
pub(super) fn hardlink(dir: impl AsFd, target: &CStr, parent: &OwnedFd, name: &CStr, entry: &Entry) -> Result<()> {
    match rustix::fs::linkat(dir, target, parent, name, AtFlags::empty()) {
        Ok(()) => Ok(()),
        Err(Errno::NOENT) => Err(refused(entry, "its hard link's target is not in the layer")),
        Err(Errno::PERM) => Err(refused(entry, "its hard link's target is a folder")),
        Err(e) => Err(StoreError::io("link", shown(entry), e)),
    }
}

/// The folder of a hard link's target could not be opened.
pub(super) fn link_error(entry: &Entry, e: StoreError) -> StoreError {
    match e {
        StoreError::Io { source, .. } => {
            refused(entry, &format!("its hard link's target is not in the layer: {source}"))
        }
        e => e,
    }
}
