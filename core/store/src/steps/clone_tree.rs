//! A copy of a whole tree under another name.

use crate::{
    area::Area,
    copy::copy_tree,
    dirs,
    error::{IoContext, Result},
};
use davit_model::storage::Place;
use rustix::fs::Mode;

pub(super) fn apply(area: &Area, src: &Place, dst: &Place) -> Result<()> {
    let from = area.open_dir(src)?;
    rustix::fs::mkdirat(area.fd(), dst.as_str(), Mode::RWXU).doing("make folder", area.shown(dst))?;
    copy_tree(from, area.open_dir(dst)?)
}

pub(super) fn undo(area: &Area, dst: &Place) -> Result<()> {
    dirs::remove_tree(area.fd(), &area.name(dst)?)
}
