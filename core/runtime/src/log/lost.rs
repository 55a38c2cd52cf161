//! Output that could not be written, and of which the log does not tell yet.

use crate::failure;
use std::io;

#[derive(Debug, Default)]
pub(super) struct Lost {
    pieces: u64,
    bytes: u64,
    why: String,
}

impl Lost {
    pub(super) fn is_none(&self) -> bool {
        self.pieces == 0
    }

    pub(super) fn add(&mut self, bytes: u64) {
        self.pieces += 1;
        self.bytes += bytes;
    }

    pub(super) fn because(&mut self, why: &io::Error) {
        self.why = failure::reason(why);
    }

    /// The line that stands in the log where the output is missing.
    pub(super) fn line(&self) -> String {
        let Self { pieces, bytes, why } = self;
        format!(
            "davit: {bytes} bytes of output ({pieces} writes) are missing here: the log could not be written: {why}\n"
        )
    }
}
