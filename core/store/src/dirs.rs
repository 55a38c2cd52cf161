//! Folders by descriptor: the few calls that every part of the store needs. Names are single components, and links are
//! never followed.

use crate::error::{IoContext, Result, StoreError};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use std::{
    ffi::{CStr, CString},
    os::fd::{AsFd, OwnedFd},
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

/// Removes an entry with all that is in it; nothing to do where it is not there. Depth costs heap and descriptors one
/// at a time, never stack: a hostile tree may be very deep.
pub(crate) fn remove_tree(at: impl AsFd, name: &CStr) -> Result<()> {
    let gone = |r: rustix::io::Result<()>, name: &CStr| match r {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(e) => Err(StoreError::io("remove", name.to_string_lossy(), e)),
    };
    match kind(&at, name)? {
        None => return Ok(()),
        Some(FileType::Directory) => {}
        Some(_) => return gone(rustix::fs::unlinkat(at, name, AtFlags::empty()), name),
    }
    // A subfolder that holds folders is first moved up beside the one being emptied, so that depth never grows.
    let dir = rustix::fs::openat(&at, name, DIR, Mode::empty()).doing("open", name.to_string_lossy())?;
    let mut number = 0u64;
    loop {
        let mut pending = false;
        for child in names(&dir)? {
            match rustix::fs::unlinkat(&dir, &child, AtFlags::empty()) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => continue,
                Err(rustix::io::Errno::ISDIR | rustix::io::Errno::PERM) => {}
                Err(e) => return Err(StoreError::io("remove", child.to_string_lossy(), e)),
            }
            match rustix::fs::unlinkat(&dir, &child, AtFlags::REMOVEDIR) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => continue,
                Err(rustix::io::Errno::NOTEMPTY | rustix::io::Errno::EXIST) => {}
                Err(e) => return Err(StoreError::io("remove", child.to_string_lossy(), e)),
            }
            let sub = rustix::fs::openat(&dir, &child, DIR, Mode::empty()).doing("open", child.to_string_lossy())?;
            for grandchild in names(&sub)? {
                match rustix::fs::unlinkat(&sub, &grandchild, AtFlags::empty()) {
                    Ok(()) | Err(rustix::io::Errno::NOENT) => continue,
                    Err(rustix::io::Errno::ISDIR | rustix::io::Errno::PERM) => {}
                    Err(e) => return Err(StoreError::io("remove", grandchild.to_string_lossy(), e)),
                }
                if rustix::fs::unlinkat(&sub, &grandchild, AtFlags::REMOVEDIR).is_ok() {
                    continue;
                }
                loop {
                    number += 1;
                    let up = format!(".davit-removing-{number}");
                    let flags = rustix::fs::RenameFlags::NOREPLACE;
                    match rustix::fs::renameat_with(&sub, &grandchild, &dir, up, flags) {
                        Ok(()) => break,
                        Err(rustix::io::Errno::EXIST) => {}
                        Err(e) => return Err(StoreError::io("remove", grandchild.to_string_lossy(), e)),
                    }
                }
                pending = true;
            }
            gone(rustix::fs::unlinkat(&dir, &child, AtFlags::REMOVEDIR), &child)?;
        }
        if !pending {
            break;
        }
    }
    gone(rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_ten_thousand_deep_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let root = rustix::fs::open(dir.path(), DIR, Mode::empty()).unwrap();
        rustix::fs::mkdirat(&root, "t", Mode::RWXU).unwrap();
        let mut at = rustix::fs::openat(&root, "t", DIR, Mode::empty()).unwrap();
        for n in 0..10_000 {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            if n % 1000 == 0 {
                let flags = OFlags::CREATE | OFlags::WRONLY;
                rustix::fs::openat(&at, "f", flags, Mode::RUSR).unwrap();
            }
            at = rustix::fs::openat(&at, "d", DIR, Mode::empty()).unwrap();
        }
        remove_tree(&root, c"t").unwrap();
        assert!(names(&root).unwrap().is_empty());
        remove_tree(&root, c"t").unwrap();
    }
}
