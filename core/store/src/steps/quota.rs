//! A project quota. Needs ioctls that `core/sys` does not have yet: refused by name, never left out silently.

use crate::error::{Result, StoreError};

pub(super) fn apply() -> Result<()> {
    Err(StoreError::Unsupported { step: "quota", feature: "quota".into() })
}
