//! The clocks: the site's time of day, and a real one that never goes back.

use super::site::around;
use std::{sync::LazyLock, time::Instant};

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Milliseconds since 1970-01-01 UTC, as [`super::Site::now_ms`] set them.
pub fn now_ms() -> u64 {
    around(|site| site.now_ms)
}

/// Nanoseconds since some moment before this call.
pub fn monotonic_ns() -> u64 {
    u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
