//! How much of everything one call may have: the defaults, what a manifest may ask instead, and the site's caps.

use serde::{Deserialize, Deserializer, de::Error};
use std::{fmt, time::Duration};

/// The largest memory that any plugin can be given; the pool reserves address space for it.
pub(crate) const LARGEST_MEMORY: u64 = 256 << 20;

/// Limits in force for a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory of one call.
    pub memory: u64,
    /// Most elements of the tables of one call.
    pub table_elements: usize,
    /// A call that plans.
    pub plan_deadline: Duration,
    /// A call that answers a registry.
    pub auth_deadline: Duration,
    /// A call that sees an event.
    pub observe_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            table_elements: 10_000,
            plan_deadline: Duration::from_secs(10),
            auth_deadline: Duration::from_secs(30),
            observe_deadline: Duration::from_secs(1),
        }
    }
}

impl Limits {
    /// What a manifest wants, where the caps allow it.
    pub(crate) fn wanted(wanted: &Wanted, caps: &Limits) -> Self {
        let base = Self::default();
        let memory = wanted.memory.map_or(base.memory, |m| m.0).min(caps.memory).min(LARGEST_MEMORY);
        let deadline = |default: Duration, cap: Duration| wanted.deadline.map_or(default, |d| d.0).min(cap);
        Self {
            memory,
            table_elements: base.table_elements.min(caps.table_elements),
            plan_deadline: deadline(base.plan_deadline, caps.plan_deadline),
            auth_deadline: deadline(base.auth_deadline, caps.auth_deadline),
            observe_deadline: base.observe_deadline.min(caps.observe_deadline),
        }
    }
}

/// `[limits]` of a manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// `64MiB`
    pub memory: Option<Bytes>,
    /// `5s`, `500ms`: for planning and authentication.
    pub deadline: Option<Span>,
}

/// A size such as `64MiB`, `512KiB` or `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

/// A time such as `5s` or `500ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let units = [("KiB", 1u64 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        units
            .iter()
            .find_map(|(unit, factor)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*factor))
            .filter(|bytes| *bytes > 0)
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("{text:?} is not a size such as 64MiB")))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let read = |unit: &str| text.strip_suffix(unit)?.parse::<u64>().ok();
        let time = read("ms").map(Duration::from_millis).or_else(|| read("s").map(Duration::from_secs));
        time.filter(|t| !t.is_zero())
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("{text:?} is not a time such as 5s or 500ms")))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 1 << 20 { write!(f, "{} MiB", self.0 >> 20) } else { write!(f, "{} KiB", self.0 >> 10) }
    }
}
