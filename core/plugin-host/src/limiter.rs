//! How much memory and how many table elements a call may grow to; remembers that it refused, for a better error.

use crate::limits::Limits;
use wasmtime::ResourceLimiter;

/// The limits of one call, and what was used.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: usize,
    used: usize,
    table_elements: usize,
    elements_used: usize,
    refused: Option<&'static str>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: usize::try_from(limits.memory).unwrap_or(usize::MAX),
            used: 0,
            table_elements: limits.table_elements,
            elements_used: 0,
            refused: None,
        }
    }

    /// What was refused to the call, if anything was.
    pub(crate) fn refused(&self) -> Option<&'static str> {
        self.refused
    }
}

fn grown(used: &mut usize, current: usize, desired: usize, limit: usize) -> bool {
    let after = used.saturating_add(desired.saturating_sub(current));
    let fits = after <= limit;
    if fits {
        *used = after;
    }
    fits
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = grown(&mut self.used, current, desired, self.memory);
        if !fits {
            self.refused = Some("memory");
        }
        Ok(fits)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = grown(&mut self.elements_used, current, desired, self.table_elements);
        if !fits {
            self.refused = Some("table elements");
        }
        Ok(fits)
    }
}
