//! A btrfs subvolume. Needs ioctls that `core/sys` does not have yet: refused by name, never left out silently.

use crate::error::{Result, StoreError};

pub(super) fn apply() -> Result<()> {
    Err(StoreError::Unsupported { step: "make-subvolume", feature: "btrfs".into() })
}
