//! For this crate's tests: hostile and friendly archives, five native drivers, a small image, small disks.

mod archive;
mod disk;
mod drivers;
mod images;
mod more_drivers;

pub(crate) use archive::Tar;
pub(crate) use disk::{Btrfs, Quotas, SmallDisk};
pub(crate) use drivers::{copying, overlaying};
pub(crate) use images::{TestImage, container, pull};
pub(crate) use more_drivers::{imaging, limiting, snapshotting};

use davit_model::digest::Digest;
use sha2::{Digest as _, Sha256};

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

/// Says that a test could not be made here, and why.
pub(crate) fn skipped(why: &str) {
    println!("skipped: {why}");
}
