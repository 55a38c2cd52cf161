//! A limit on the size of trees, by a project quota. All trees that one plan limits count together: overlayfs moves files
//! between two of them, which only trees of one project allow.

use crate::{
    area::Area,
    dirs::{self, BENEATH, DIR},
    error::{IoContext, Result, StoreError},
};
use davit_model::storage::{Place, StorageStep};
use davit_sys::{fault::point, quota};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    ffi::CStr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Mutex, PoisonError},
};

/// Our numbers have this bit: whatever else counts by projects on this file system, an operator's own limit on the data
/// root for instance, is left alone.
const OURS: u32 = 1 << 30;

/// Between the look for a number that is free and its use.
static CHOOSING: Mutex<()> = Mutex::new(());

/// `earlier` are the steps of the same plan that were done before.
pub(super) fn apply(area: &Area, at: &Place, bytes: u64, earlier: &[StorageStep]) -> Result<()> {
    if !area.limits_projects() {
        return Err(StoreError::Unsupported { step: "quota", feature: "quota".into() });
    }
    let tree = area.open_dir(at)?;
    let _alone = CHOOSING.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = || earlier.iter().find_map(|step| shared(area, step));
    let project = match of(tree.as_fd()).or_else(shared) {
        Some(project) => project,
        None => free_project(area, &tree)?,
    };
    mark(&tree, project).doing("mark for a quota", area.shown(at))?;
    point("store.quota-marked");
    quota::limit(area.fd(), project, bytes).doing("limit", area.shown(at))
}

/// The tree is without a limit again; what it holds stays.
pub(super) fn undo(area: &Area, at: &Place) -> Result<()> {
    if !area.exists(at)? {
        return Ok(());
    }
    let tree = area.open_dir(at)?;
    let Some(project) = of(tree.as_fd()) else { return Ok(()) };
    quota::limit(area.fd(), project, 0).doing("end the limit of", area.shown(at))?;
    let before = quota::project(area.fd()).doing("look at", area.driver())?;
    mark(&tree, before).doing("end the quota of", area.shown(at))
}

/// Our project of a folder that is about to go; none where it has none, or where this file system knows no projects.
pub(crate) fn project_of(at: BorrowedFd<'_>, name: &CStr) -> Option<u32> {
    let folder = rustix::fs::openat(at, name, DIR, Mode::empty()).ok()?;
    of(folder.as_fd())
}

/// Nothing is kept for a project whose trees are gone.
pub(crate) fn forget(at: BorrowedFd<'_>, project: u32) -> Result<()> {
    match quota::limit(at, project, 0) {
        Ok(()) => Ok(()),
        // It was mounted with quotas once, and is not any more.
        Err(e) if matches!(e.raw_os_error().map(Errno::from_raw_os_error), Some(Errno::SRCH | Errno::NOSYS)) => Ok(()),
        Err(e) => Err(StoreError::io("end the limit of", "a tree", e)),
    }
}

fn of(folder: BorrowedFd<'_>) -> Option<u32> {
    quota::project(folder).ok().filter(|project| project & OURS != 0)
}

fn shared(area: &Area, step: &StorageStep) -> Option<u32> {
    match step {
        StorageStep::Quota { at, .. } => project_of(area.fd(), &area.name(at).ok()?),
        _ => None,
    }
}

/// A number that nothing on this file system carries. The folder's own inode number is tried first: no other folder
/// has it, whoever else chooses numbers here.
fn free_project(area: &Area, tree: &OwnedFd) -> Result<u32> {
    let inode = rustix::fs::fstat(tree).doing("look at", "a folder")?.st_ino;
    let mut number = OURS | u32::try_from(inode % u64::from(OURS)).unwrap_or(1);
    while quota::is_used(area.fd(), number).doing("look for a free project in", area.driver())? {
        number = OURS | (number.wrapping_add(1) % OURS);
    }
    Ok(number)
}

/// Marks a tree with all that is in it by now. Devices and links cannot be opened, and take no room.
fn mark(root: &OwnedFd, project: u32) -> std::io::Result<()> {
    let open = |at: &OwnedFd, path: &[u8], flags: OFlags| {
        rustix::fs::openat2(at, path, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty(), BENEATH)
    };
    // Paths instead of recursion: depth costs neither stack nor descriptors.
    let mut waiting = vec![b".".to_vec()];
    while let Some(path) = waiting.pop() {
        let folder = open(root, &path, DIR)?;
        quota::set_project(folder.as_fd(), project, true)?;
        for name in dirs::names(&folder).map_err(std::io::Error::other)? {
            let stat = rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => waiting.push([path.as_slice(), b"/", name.to_bytes()].concat()),
                FileType::RegularFile => {
                    quota::set_project(open(&folder, name.to_bytes(), OFlags::RDONLY)?.as_fd(), project, false)?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}
