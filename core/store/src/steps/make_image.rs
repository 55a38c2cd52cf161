//! A file-system image of a tree. Its writers are external programs that this store does not run: refused by name.

use crate::error::{Result, StoreError};

pub(super) fn apply(format: &str) -> Result<()> {
    Err(StoreError::Unsupported { step: "make-image", feature: format!("a writer of {format} images") })
}
