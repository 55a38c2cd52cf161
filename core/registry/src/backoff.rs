//! How long to wait before the next try: doubling, with jitter, bounded.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The wait before try `n` (1 for the first repetition): between half and all of 100 ms · 2ⁿ⁻¹, at most 5 s.
pub(crate) fn delay(n: u32) -> Duration {
    let full = FIRST.saturating_mul(1 << n.saturating_sub(1).min(16)).min(LONGEST);
    // A fresh `RandomState` is seeded by the system; nothing here needs more than that.
    let dice = u32::from(RandomState::new().hash_one(n).to_le_bytes()[0]);
    full / 2 + full * dice / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_within_their_bound() {
        for n in 1..40 {
            let full = FIRST.saturating_mul(1 << (n - 1).min(16)).min(LONGEST);
            assert!((full / 2..=full).contains(&delay(n)), "{n}");
        }
        assert!(delay(30) >= LONGEST / 2);
    }
}
