//! Folders of the tree under way, opened by descriptor beneath its root. No link is ever followed, so a link that
//! stands where a parent should be is never a way out.

use crate::{
    dirs::{BENEATH, DIR},
    error::{IoContext, Result, StoreError},
};
use rustix::{
    fs::{AtFlags, Mode, Timespec, Timestamps},
    io::Errno,
};
use std::{
    collections::{BTreeSet, HashMap},
    ffi::CString,
    os::fd::{BorrowedFd, OwnedFd},
    rc::Rc,
};

/// How many folders are held open: archives go folder by folder, so few suffice.
const CACHED: usize = 64;

pub(super) struct Tree<'a> {
    root: BorrowedFd<'a>,
    open: HashMap<Vec<u8>, Rc<OwnedFd>>,
    implied: BTreeSet<Vec<u8>>,
    over_whiteout: Vec<Rc<OwnedFd>>,
}

/// Whether a path that exists was made by this layer.
type Written = BTreeSet<Vec<u8>>;

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().take(200).collect()
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(slash) => (path.get(..slash).unwrap_or_default(), path.get(slash + 1..).unwrap_or_default()),
        None => (&[], path),
    }
}

fn c_name(name: &[u8]) -> Result<CString> {
    CString::new(name).map_err(|_| StoreError::archive("a name holds a zero byte"))
}

impl<'a> Tree<'a> {
    pub(super) fn new(root: BorrowedFd<'a>) -> Self {
        Self { root, open: HashMap::new(), implied: BTreeSet::new(), over_whiteout: Vec::new() }
    }

    pub(super) fn root(&self) -> Result<OwnedFd> {
        self.root.try_clone_to_owned().doing("duplicate", "the layer's root")
    }

    /// Opens a folder that is there.
    fn existing(&mut self, path: &[u8]) -> rustix::io::Result<Rc<OwnedFd>> {
        if let Some(fd) = self.open.get(path) {
            return Ok(fd.clone());
        }
        let at = if path.is_empty() { b".".as_slice() } else { path };
        let fd = Rc::new(rustix::fs::openat2(self.root, at, DIR, Mode::empty(), BENEATH)?);
        if self.open.len() >= CACHED {
            self.open.clear();
        }
        self.open.insert(path.to_owned(), fd.clone());
        Ok(fd)
    }

    /// The folder that `path` stands in, which must be there, and its last component.
    pub(super) fn existing_parent(&mut self, path: &[u8]) -> Result<(Rc<OwnedFd>, CString)> {
        let (dir, name) = split(path);
        Ok((self.existing(dir).doing("open folder", shown(dir))?, c_name(name)?))
    }

    /// The folder that `path` stands in, made where it is missing, and its last component.
    pub(super) fn parent(
        &mut self,
        path: &[u8],
        written: &Written,
        deleted: &mut BTreeSet<Vec<u8>>,
    ) -> Result<(Rc<OwnedFd>, CString)> {
        let (dir, name) = split(path);
        Ok((self.dir(dir, written, deleted)?, c_name(name)?))
    }

    /// Opens a folder, made where it is missing. What is no folder and was written by this layer is an error; a lower
    /// layer's file or link gives way, as it would beneath an overlay.
    pub(super) fn dir(
        &mut self,
        path: &[u8],
        written: &Written,
        deleted: &mut BTreeSet<Vec<u8>>,
    ) -> Result<Rc<OwnedFd>> {
        match self.existing(path) {
            Ok(fd) => return Ok(fd),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !path.is_empty() => {}
            Err(e) => return Err(StoreError::io("open folder", shown(path), e)),
        }
        // From the top down, so that depth costs no stack.
        let ends = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(i, _)| i).chain([path.len()]);
        for end in ends {
            let part = path.get(..end).unwrap_or(path);
            match self.existing(part) {
                Ok(_) => continue,
                Err(Errno::NOENT) => {}
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    if written.contains(part) {
                        return Err(StoreError::archive(format!(
                            "entry below {:?}, which is not a folder but a file or link of the same layer",
                            shown(part)
                        )));
                    }
                    let (parent, name) = self.existing_parent(part)?;
                    rustix::fs::unlinkat(&*parent, &name, AtFlags::empty()).doing("replace", shown(part))?;
                }
                Err(e) => return Err(StoreError::io("open folder", shown(part), e)),
            }
            let (parent, name) = self.existing_parent(part)?;
            rustix::fs::mkdirat(&*parent, &name, Mode::RWXU).doing("make folder", shown(part))?;
            let fd = self.existing(part).doing("open folder", shown(part))?;
            // Whatever the umask is.
            rustix::fs::fchmod(&*fd, Mode::from_raw_mode(0o755)).doing("set the mode of", shown(part))?;
            self.implied.insert(part.to_owned());
            if deleted.remove(part) {
                self.over_whiteout.push(fd);
            }
        }
        self.existing(path).doing("open folder", shown(path))
    }

    /// Folders that took a whiteout's place since the last call: the caller makes them opaque in its style.
    pub(super) fn take_over_whiteout(&mut self) -> Vec<Rc<OwnedFd>> {
        std::mem::take(&mut self.over_whiteout)
    }

    /// A folder that was implied has an entry of its own now.
    pub(super) fn described(&mut self, path: &[u8]) {
        self.implied.remove(path);
    }

    /// The entry of this path goes: no folder at or below it may be taken from the cache again.
    pub(super) fn forget(&mut self, path: &[u8]) {
        let prefix = [path, b"/"].concat();
        self.open.retain(|p, _| p != path && !p.starts_with(&prefix));
        self.implied.remove(path);
        remove_below(&mut self.implied, path);
    }

    pub(super) fn set_dir_time(&mut self, path: &[u8], mtime: (i64, u32)) -> Result<()> {
        let fd = self.existing(path).doing("open folder", shown(path))?;
        rustix::fs::futimens(&*fd, &times(mtime)).doing("set the time of", shown(path))
    }

    pub(super) fn implied(self) -> Vec<Vec<u8>> {
        self.implied.into_iter().collect()
    }
}

/// Removes all paths below one, in time that depends on how many there are.
pub(super) fn remove_below(paths: &mut BTreeSet<Vec<u8>>, path: &[u8]) {
    let prefix = [path, b"/"].concat();
    while let Some(found) = paths.range(prefix.clone()..).next().filter(|p| p.starts_with(&prefix)).cloned() {
        paths.remove(&found);
    }
}

/// Both times: access is set to modification, so that unpacking twice gives the same.
pub(super) fn times((seconds, nanos): (i64, u32)) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: i64::from(nanos) };
    Timestamps { last_access: time, last_modification: time }
}
