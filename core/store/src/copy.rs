//! A copy of a whole tree: owners, modes, times, attributes, hard links, devices, holes. By reflink where the file
//! system can, else by copying bytes in the kernel. Everything is named relative to two descriptors, and no link is
//! followed.

use crate::{
    dirs::{self, BENEATH, DIR},
    error::{IoContext, Result},
    unpack::copy_xattrs,
};
use rustix::{
    fs::{AtFlags, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, Uid},
    io::Errno,
};
use std::{
    collections::HashMap,
    ffi::CStr,
    fs::File,
    io::{self, Seek as _},
    os::fd::OwnedFd,
};

/// Copies what is in the folder `from` into the folder `to`, which takes on the looks of `from`. Blocks.
pub fn copy_tree(from: OwnedFd, to: OwnedFd) -> Result<()> {
    Copy { from, to, links: HashMap::new(), reflink: true }.all()
}

struct Copy {
    from: OwnedFd,
    to: OwnedFd,
    /// First copies of files with several names, by device and inode of the original.
    links: HashMap<(u64, u64), Vec<u8>>,
    /// Until the file system says that it cannot.
    reflink: bool,
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().take(200).collect()
}

fn open(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd> {
    let at = if path.is_empty() { b".".as_slice() } else { path };
    rustix::fs::openat2(root, at, DIR, Mode::empty(), BENEATH).doing("open folder", shown(path))
}

pub(crate) fn times(stat: &Stat) -> Timestamps {
    let time = |tv_sec, nanos: u64| Timespec { tv_sec, tv_nsec: i64::try_from(nanos).unwrap_or(0) };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

fn owner(stat: &Stat) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))
}

impl Copy {
    fn all(mut self) -> Result<()> {
        // Paths instead of recursion: depth costs neither stack nor descriptors.
        let mut waiting = vec![Vec::new()];
        let mut done = Vec::new();
        while let Some(path) = waiting.pop() {
            let (from, to) = (open(&self.from, &path)?, open(&self.to, &path)?);
            let stat = rustix::fs::fstat(&from).doing("look at", shown(&path))?;
            let (uid, gid) = owner(&stat);
            rustix::fs::fchown(&to, uid, gid).doing("set the owner of", shown(&path))?;
            rustix::fs::fchmod(&to, Mode::from_raw_mode(stat.st_mode & 0o7777))
                .doing("set the mode of", shown(&path))?;
            copy_xattrs(&from, c".", &to, c".")?;
            for name in dirs::names(&from)? {
                let child = if path.is_empty() {
                    name.to_bytes().to_vec()
                } else {
                    [path.as_slice(), b"/", name.to_bytes()].concat()
                };
                if self.entry(&from, &to, &name, &child)? {
                    waiting.push(child);
                }
            }
            done.push((path, times(&stat)));
        }
        for (path, times) in done {
            rustix::fs::futimens(open(&self.to, &path)?, &times).doing("set the time of", shown(&path))?;
        }
        Ok(())
    }

    /// Copies one entry; says whether it is a folder whose contents are still to come.
    fn entry(&mut self, from: &OwnedFd, to: &OwnedFd, name: &CStr, path: &[u8]) -> Result<bool> {
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW).doing("look at", shown(path))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            rustix::fs::mkdirat(to, name, Mode::RWXU).doing("make folder", shown(path))?;
            return Ok(true);
        }
        if stat.st_nlink > 1 {
            if let Some(first) = self.links.get(&(stat.st_dev, stat.st_ino)) {
                let slash = first.iter().rposition(|b| *b == b'/');
                let (dir, last) = match slash {
                    Some(slash) => (first.get(..slash).unwrap_or_default(), first.get(slash + 1..).unwrap_or_default()),
                    None => (b"".as_slice(), first.as_slice()),
                };
                let dir = open(&self.to, dir)?;
                rustix::fs::linkat(dir, last, to, name, AtFlags::empty()).doing("link", shown(path))?;
                return Ok(false);
            }
            self.links.insert((stat.st_dev, stat.st_ino), path.to_vec());
        }
        match kind {
            FileType::RegularFile => self.file(from, to, name, path, &stat)?,
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(from, name, Vec::new()).doing("read link", shown(path))?;
                rustix::fs::symlinkat(&target, to, name).doing("make link", shown(path))?;
            }
            kind => {
                let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
                rustix::fs::mknodat(to, name, kind, mode, stat.st_rdev).doing("make node", shown(path))?;
            }
        }
        let (uid, gid) = owner(&stat);
        rustix::fs::chownat(to, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).doing("set the owner of", shown(path))?;
        if kind != FileType::Symlink {
            // Ours, made just now, and no link: nothing to follow.
            let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
            rustix::fs::chmodat(to, name, mode, AtFlags::empty()).doing("set the mode of", shown(path))?;
        }
        // After the owner: changing it takes capabilities away.
        copy_xattrs(from, name, to, name)?;
        rustix::fs::utimensat(to, name, &times(&stat), AtFlags::SYMLINK_NOFOLLOW)
            .doing("set the time of", shown(path))?;
        Ok(false)
    }

    fn file(&mut self, from: &OwnedFd, to: &OwnedFd, name: &CStr, path: &[u8], stat: &Stat) -> Result<()> {
        let read = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let write = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::CREATE | OFlags::EXCL;
        let src = rustix::fs::openat(from, name, read, Mode::empty()).doing("open", shown(path))?;
        let dst = rustix::fs::openat(to, name, write, Mode::RUSR | Mode::WUSR).doing("make", shown(path))?;
        if self.reflink {
            match rustix::fs::ioctl_ficlone(&dst, &src) {
                Ok(()) => return Ok(()),
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::XDEV | Errno::NOSYS | Errno::NOTTY) => {
                    self.reflink = false
                }
                Err(e) => return Err(crate::StoreError::io("clone", shown(path), e)),
            }
        }
        copy_data(&src, &dst, u64::try_from(stat.st_size).unwrap_or(0)).doing("copy", shown(path))
    }
}

/// Copies what is data and leaves the holes.
fn copy_data(src: &OwnedFd, dst: &OwnedFd, size: u64) -> io::Result<()> {
    rustix::fs::ftruncate(dst, size)?;
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(src, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        let end = rustix::fs::seek(src, SeekFrom::Hole(start))?;
        let (mut read, mut write) = (start, start);
        while read < end {
            let length = usize::try_from(end - read).unwrap_or(1 << 30).min(1 << 30);
            match rustix::fs::copy_file_range(src, Some(&mut read), dst, Some(&mut write), length) {
                // Shorter than it was: someone truncates it meanwhile.
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // Two file systems, of which this kernel copies nothing from one to the other.
                Err(Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => {
                    copy_bytes(src, dst, read, end)?;
                    read = end;
                }
                Err(e) => return Err(e.into()),
            }
        }
        at = end;
    }
    Ok(())
}

fn copy_bytes(src: &OwnedFd, dst: &OwnedFd, from: u64, to: u64) -> io::Result<()> {
    let (mut src, mut dst) = (File::from(src.try_clone()?), File::from(dst.try_clone()?));
    src.seek(io::SeekFrom::Start(from))?;
    dst.seek(io::SeekFrom::Start(from))?;
    io::copy(&mut io::Read::take(src, to - from), &mut dst).map(drop)
}
