//! Reading and writing one file of a control group by descriptor, and making and opening its directories.

use super::CgroupError;
use rustix::fs::{Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;
use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// More than any file of ours has; what lies beyond is not read.
const MAX_READ: u64 = 1 << 20;

/// Writes `value` in one call and checks the close as well: control group files may report at either.
pub(super) fn write(dir: BorrowedFd<'_>, file: &str, value: &str) -> Result<(), CgroupError> {
    write_raw(dir, file, value).map_err(|source| CgroupError::Write {
        file: file.to_owned(),
        value: value.to_owned(),
        source,
    })
}

/// As [`write`], with the bare error.
pub(super) fn write_raw(dir: BorrowedFd<'_>, file: &str, value: &str) -> io::Result<()> {
    let fd = openat(dir, file, OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let wrote = loop {
        match rustix::io::write(&fd, value.as_bytes()) {
            Err(Errno::INTR) => {}
            other => break other,
        }
    };
    nix::unistd::close(fd)?;
    if wrote? != value.len() {
        return Err(io::Error::from(io::ErrorKind::WriteZero));
    }
    Ok(())
}

/// The whole of a small file.
pub(super) fn read(dir: BorrowedFd<'_>, file: &str) -> Result<String, CgroupError> {
    read_raw(dir, file).map_err(|source| CgroupError::Read { file: file.to_owned(), source })
}

/// As [`read`], with the bare error.
pub(super) fn read_raw(dir: BorrowedFd<'_>, file: &str) -> io::Result<String> {
    let fd = openat(dir, file, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    File::from(fd).take(MAX_READ).read_to_string(&mut text)?;
    Ok(text)
}

/// A number on its own in a file; `max` and out of range are none.
pub(super) fn number(dir: BorrowedFd<'_>, file: &str) -> Option<u64> {
    read_raw(dir, file).ok()?.trim().parse().ok()
}

/// The number beside `key` in a file of `key number` lines.
pub(super) fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

pub(super) fn exists(dir: BorrowedFd<'_>, file: &str) -> bool {
    rustix::fs::accessat(dir, file, rustix::fs::Access::EXISTS, rustix::fs::AtFlags::empty()).is_ok()
}

/// Opens a directory below another; never through a link.
pub(super) fn open_dir(at: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}

/// Makes a directory where it is missing, and opens it.
pub(super) fn make_dir(at: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    match mkdirat(at, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => open_dir(at, name),
        Err(e) => Err(e.into()),
    }
}

/// Names of the directories in one; for a control group: its children.
pub(super) fn children(dir: BorrowedFd<'_>) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    // A descriptor of its own: reading moves the offset that duplicates share.
    let fresh = open_dir(dir.as_fd(), ".")?;
    for entry in rustix::fs::Dir::new(fresh)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy();
        if entry.file_type() == rustix::fs::FileType::Directory && name != "." && name != ".." {
            names.push(name.into_owned());
        }
    }
    Ok(names)
}
