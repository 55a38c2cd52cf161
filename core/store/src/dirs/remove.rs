//! Trees go, also hostile ones: very deep, or with btrfs subvolumes within, which a container can make without any
//! right and which no `rmdir` takes away while something is in them.

use super::{DIR, is_subvolume, kind, names, on_btrfs};
use crate::error::{IoContext, Result, StoreError};
use davit_sys::btrfs;
use rustix::{
    fs::{AtFlags, FileType, Mode, RenameFlags},
    io::Errno,
};
use std::{
    ffi::CStr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// Removes an entry with all that is in it; nothing to do where it is not there. Depth costs heap and descriptors one
/// at a time, never stack.
pub(crate) fn remove_tree(at: impl AsFd, name: &CStr) -> Result<()> {
    match kind(&at, name)? {
        None => return Ok(()),
        Some(FileType::Directory) => {}
        Some(_) => return gone(rustix::fs::unlinkat(at, name, AtFlags::empty()), name),
    }
    let dir = open(at.as_fd(), name)?;
    let mut removal = Removal { top: dir.as_fd(), btrfs: on_btrfs(&dir)?, number: 0 };
    if removal.took(at.as_fd(), name)? {
        return Ok(());
    }
    removal.empty(dir.as_fd(), true)?;
    removal.take_empty(at.as_fd(), name)
}

fn gone(result: rustix::io::Result<()>, name: &CStr) -> Result<()> {
    match result {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(failed(name, e)),
    }
}

fn failed(name: &CStr, e: impl Into<std::io::Error>) -> StoreError {
    StoreError::io("remove", name.to_string_lossy(), e)
}

fn open(at: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    rustix::fs::openat(at, name, DIR, Mode::empty()).doing("open", name.to_string_lossy())
}

/// A tree on its way out. Folders that hold something are moved up, so that depth never grows; a subvolume can be moved
/// across the borders of others, a folder cannot.
struct Removal<'a> {
    top: BorrowedFd<'a>,
    btrfs: bool,
    /// Of the names that were given to what moved up.
    number: u64,
}

impl Removal<'_> {
    /// Whether an entry could be taken away as it is: a file, an empty folder, a subvolume with no other within.
    fn took(&self, at: BorrowedFd<'_>, name: &CStr) -> Result<bool> {
        match rustix::fs::unlinkat(at, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(true),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(e) => return Err(failed(name, e)),
        }
        match rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            // A read-only subvolume is not removed like a folder.
            Err(Errno::PERM | Errno::ACCESS | Errno::ROFS) if self.btrfs => {}
            Err(e) => return Err(failed(name, e)),
        }
        if !self.btrfs || !is_subvolume(open(at, name)?.as_fd())? {
            return Ok(false);
        }
        match btrfs::destroy(at, name).map_err(|e| (e.raw_os_error().map(Errno::from_raw_os_error), e)) {
            Ok(()) => Ok(true),
            Err((Some(Errno::NOTEMPTY), _)) => Ok(false),
            Err((_, e)) => Err(failed(name, e)),
        }
    }

    /// Empties `dir`: all of a folder, of a subvolume at least the others within.
    fn empty(&mut self, dir: BorrowedFd<'_>, is_top: bool) -> Result<()> {
        self.unlock(dir)?;
        let mut pending = true;
        while pending {
            pending = false;
            for child in names(dir)? {
                if self.took(dir, &child)? {
                    continue;
                }
                let sub = open(dir, &child)?;
                if self.btrfs && is_subvolume(sub.as_fd())? {
                    if is_top {
                        // What is within it comes to the top, and has its turn in the next round.
                        pending = true;
                        self.empty(sub.as_fd(), false)?;
                        self.take_empty(dir, &child)?;
                    } else {
                        self.lift(dir, &child, self.top)?;
                    }
                    continue;
                }
                for grandchild in names(&sub)? {
                    if !self.took(sub.as_fd(), &grandchild)? {
                        self.lift(sub.as_fd(), &grandchild, dir)?;
                        pending = true;
                    }
                }
                self.take_empty(dir, &child)?;
            }
        }
        Ok(())
    }

    fn unlock(&self, dir: BorrowedFd<'_>) -> Result<()> {
        if self.btrfs && is_subvolume(dir)? {
            btrfs::make_writable(dir).doing("make writable", "a subvolume")?;
        }
        Ok(())
    }

    fn take_empty(&self, at: BorrowedFd<'_>, name: &CStr) -> Result<()> {
        if self.took(at, name)? { Ok(()) } else { Err(failed(name, Errno::NOTEMPTY)) }
    }

    /// Moves an entry to `up` under a name that is free there.
    fn lift(&mut self, from: BorrowedFd<'_>, name: &CStr, up: BorrowedFd<'_>) -> Result<()> {
        // A read-only subvolume cannot be given another parent.
        self.unlock(open(from, name)?.as_fd())?;
        loop {
            self.number += 1;
            let free = format!(".davit-removing-{}", self.number);
            match rustix::fs::renameat_with(from, name, up, free, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => {}
                Err(e) => return Err(failed(name, e)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Btrfs, skipped};
    use rustix::fs::OFlags;

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

    fn open_path(path: &std::path::Path) -> OwnedFd {
        rustix::fs::open(path, DIR, Mode::empty()).unwrap()
    }

    #[test]
    fn a_tree_with_subvolumes_within_subvolumes_is_removed() {
        let Some(disk) = Btrfs::new() else { return skipped("this kernel has no btrfs") };
        let root = open_path(&disk.path());
        // As a folder, as a subvolume, and as one that its maker has made read-only.
        for kind in ["folder", "subvolume", "read-only"] {
            let top = disk.path().join("t");
            if kind == "folder" {
                std::fs::create_dir(&top).unwrap();
            } else {
                btrfs::create(root.as_fd(), c"t").unwrap();
            }
            let (mut at, mut all) = (top.clone(), vec![top.clone()]);
            for _ in 0..12 {
                std::fs::create_dir_all(at.join("a/b/c")).unwrap();
                std::fs::write(at.join("a/b/c/f"), "f").unwrap();
                btrfs::create(open_path(&at.join("a/b")).as_fd(), c"s").unwrap();
                btrfs::create(open_path(&at.join("a")).as_fd(), c"empty").unwrap();
                at = at.join("a/b/s");
                all.push(at.clone());
            }
            if kind == "read-only" {
                all.iter().for_each(|subvolume| disk.freeze(subvolume));
            }
            remove_tree(&root, c"t").unwrap();
            assert_eq!(names(&root).unwrap(), Vec::<std::ffi::CString>::new(), "{kind}");
        }
        assert_eq!(disk.subvolumes(), Vec::<String>::new());
    }
}
