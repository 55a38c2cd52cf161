//! A read-only file-system image of a tree, made by its format's own writer: beside its place, then renamed to it.

use super::StepId;
use crate::{
    area::Area,
    dirs,
    error::{IoContext, Result, StoreError},
    writer,
};
use davit_model::storage::Place;
use davit_sys::fault::point;
use rustix::fs::{Mode, OFlags, RenameFlags};
use std::{ffi::CString, sync::atomic::AtomicBool};

pub(super) fn apply(
    area: &Area,
    id: StepId,
    (src, dst): (&Place, &Place),
    format: &str,
    cancel: &AtomicBool,
) -> Result<()> {
    if format != writer::EROFS {
        return Err(StoreError::Unsupported { step: "make-image", feature: format!("a writer of {format} images") });
    }
    let tree = area.open_dir(src)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::openat(area.trash(), id.trash(), flags, Mode::RUSR | Mode::WUSR)
        .doing("make image", area.shown(dst))?;
    writer::write(tree, &file, &area.shown(dst), cancel)?;
    rustix::fs::fchmod(&file, Mode::RUSR).doing("set the mode of", area.shown(dst))?;
    point("store.image");
    rustix::fs::renameat_with(area.trash(), id.trash(), area.fd(), dst.as_str(), RenameFlags::NOREPLACE)
        .doing("place image", area.shown(dst))
}

/// Half an image is in the trash, a whole one in its place.
pub(super) fn undo(area: &Area, id: StepId, dst: &Place) -> Result<()> {
    let half = CString::new(id.trash()).doing("name", area.shown(dst))?;
    dirs::remove_tree(area.trash(), &half)?;
    dirs::remove_tree(area.fd(), &area.name(dst)?)
}
