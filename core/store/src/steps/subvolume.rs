//! An empty btrfs subvolume, root's, 0755.

use crate::{
    area::Area,
    dirs,
    error::{IoContext, Result, StoreError},
};
use davit_model::storage::Place;
use davit_sys::btrfs;
use rustix::fs::Mode;

pub(super) fn apply(area: &Area, at: &Place) -> Result<()> {
    if !dirs::on_btrfs(area.fd())? {
        return Err(StoreError::Unsupported { step: "subvolume", feature: "btrfs".into() });
    }
    btrfs::create(area.fd(), &area.name(at)?).doing("make subvolume", area.shown(at))?;
    // Whatever the umask is.
    rustix::fs::fchmod(area.open_dir(at)?, Mode::from_raw_mode(0o755)).doing("set the mode of", area.shown(at))
}

/// With all that was put into it since.
pub(super) fn undo(area: &Area, at: &Place) -> Result<()> {
    dirs::remove_tree(area.fd(), &area.name(at)?)
}
