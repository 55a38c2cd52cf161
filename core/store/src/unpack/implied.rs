//! Folders that an archive implies but does not describe: they look as the nearest lower layer has them, so that an
//! overlay's upper folder does not change what is beneath. Done once the lower layers are committed.

use super::xattr;
use crate::{
    dirs::{BENEATH, DIR},
    error::{IoContext, Result},
};
use rustix::fs::{Gid, Mode, Timespec, Timestamps, Uid};
use std::os::fd::OwnedFd;

/// `lower` are the layers beneath, nearest first. A folder that none of them has stays root's, 0755.
pub(crate) fn adopt_implied(into: &OwnedFd, implied: &[Vec<u8>], lower: &[OwnedFd]) -> Result<()> {
    for path in implied {
        let open = |root: &OwnedFd| rustix::fs::openat2(root, path.as_slice(), DIR, Mode::empty(), BENEATH);
        let Some(model) = lower.iter().find_map(|root| open(root).ok()) else { continue };
        let shown = || String::from_utf8_lossy(path).chars().take(200).collect::<String>();
        let own = open(into).doing("open folder", shown())?;
        let stat = rustix::fs::fstat(&model).doing("look at", shown())?;
        rustix::fs::fchown(&own, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))
            .doing("set the owner of", shown())?;
        rustix::fs::fchmod(&own, Mode::from_raw_mode(stat.st_mode & 0o7777)).doing("set the mode of", shown())?;
        xattr::adopt(&model, &own, &shown())?;
        let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or(0) };
        rustix::fs::futimens(&own, &Timestamps { last_access: time, last_modification: time })
            .doing("set the time of", shown())?;
    }
    Ok(())
}
