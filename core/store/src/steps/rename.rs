//! A place gets another name, atomically.

use crate::{
    area::Area,
    error::{IoContext, Result},
};
use davit_model::storage::Place;
use rustix::fs::RenameFlags;

pub(super) fn apply(area: &Area, src: &Place, dst: &Place) -> Result<()> {
    rustix::fs::renameat_with(area.fd(), src.as_str(), area.fd(), dst.as_str(), RenameFlags::NOREPLACE)
        .doing("rename", format!("{} to {dst}", area.shown(src)))
}

/// Only where it was done: the new name is there and the old one is free.
pub(super) fn undo(area: &Area, src: &Place, dst: &Place) -> Result<()> {
    if area.exists(dst)? && !area.exists(src)? { apply(area, dst, src) } else { Ok(()) }
}
