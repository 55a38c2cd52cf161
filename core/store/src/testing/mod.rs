//! For this crate's tests: hostile and friendly archives, two native drivers, a small image.

mod archive;
mod disk;
mod drivers;
mod images;

pub(crate) use archive::Tar;
pub(crate) use disk::SmallDisk;
pub(crate) use drivers::{copying, overlaying};
pub(crate) use images::{TestImage, container, pull};

use davit_model::digest::Digest;
use sha2::{Digest as _, Sha256};

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}
