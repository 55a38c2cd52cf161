//! Paths inside the container's root: resolved by `openat2` with the root as `/`, so that no symlink leads out of it.

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

/// Whether a mount target is made as a folder or as an empty file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetKind {
    Folder,
    File,
}

fn rooted() -> ResolveFlags {
    ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS
}

/// Opens what `path` names inside `root`, as a reference only (`O_PATH`), symlinks followed inside the root.
pub(super) fn existing(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    open(root, path, OFlags::PATH, rooted())
}

/// The same, but refuses (`ELOOP`) where any part of the path is a symlink.
pub(super) fn without_symlinks(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    open(root, path, OFlags::PATH, rooted() | ResolveFlags::NO_SYMLINKS)
}

/// `openat2`, again where a rename or mount elsewhere made the kernel give up (`EAGAIN`).
pub(super) fn open(root: BorrowedFd<'_>, path: &Path, flags: OFlags, how: ResolveFlags) -> io::Result<OwnedFd> {
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), how) {
            Err(rustix::io::Errno::AGAIN) if tries < 32 => tries += 1,
            other => return Ok(other?),
        }
    }
}

/// Opens the mount target `path`, making what is missing of it: folders with mode 0755, at the end a folder or a file.
pub(super) fn target(root: BorrowedFd<'_>, path: &Path, kind: TargetKind) -> io::Result<OwnedFd> {
    match existing(root, path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let (Some(parent), Some(Component::Normal(name))) = (path.parent(), path.components().next_back()) else {
        return Err(io::Error::from_raw_os_error(nix::libc::EINVAL));
    };
    let parent = folder(root, parent)?;
    match kind {
        TargetKind::Folder => make_folder(parent.as_fd(), Path::new(name)),
        TargetKind::File => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
            drop(rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644))?);
            beneath(parent.as_fd(), Path::new(name), OFlags::empty())
        }
    }
}

/// Opens the folder `path` inside `root`, making what is missing of it.
pub(super) fn folder(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    match open(root, path, OFlags::PATH | OFlags::DIRECTORY, rooted()) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let (Some(parent), Some(Component::Normal(name))) = (path.parent(), path.components().next_back()) else {
        return Err(io::Error::from_raw_os_error(nix::libc::EINVAL));
    };
    let parent = folder(root, parent)?;
    make_folder(parent.as_fd(), Path::new(name))
}

fn make_folder(parent: BorrowedFd<'_>, name: &Path) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => beneath(parent, name, OFlags::DIRECTORY),
        Err(e) => Err(e.into()),
    }
}

/// Opens one name of a folder that is not a symlink.
fn beneath(parent: BorrowedFd<'_>, name: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    open(parent, name, OFlags::PATH | OFlags::NOFOLLOW | flags, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
}

/// A name of the storage area, which is the working directory.
pub(super) fn in_area(name: &str) -> io::Result<OwnedFd> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    open(CWD, Path::new(name), OFlags::PATH | OFlags::DIRECTORY, how)
}

/// Whether the descriptor is a folder.
pub(super) fn is_folder(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) == FileType::Directory)
}
