//! A compiled seccomp filter on its way to the process that loads it: the flags (8 bytes, little-endian), then the code.

use crate::failure::{At, Failure, Stage};
use crate::seccomp::Program;

/// What is loaded.
#[derive(Debug)]
pub(crate) struct Filter {
    flags: u64,
    code: Vec<u8>,
}

impl From<&Program> for Filter {
    fn from(program: &Program) -> Self {
        Self { flags: program.flags(), code: program.bytes().to_vec() }
    }
}

impl Filter {
    pub(crate) fn encode(program: &Program) -> Vec<u8> {
        [&program.flags().to_le_bytes()[..], program.bytes()].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> std::io::Result<Self> {
        let (flags, code) = bytes.split_first_chunk::<8>().ok_or(std::io::ErrorKind::InvalidData)?;
        Ok(Self { flags: u64::from_le_bytes(*flags), code: code.to_vec() })
    }

    pub(super) fn load(&self) -> Result<(), Failure> {
        davit_sys::seccomp::load(&self.code, self.flags).at(Stage::Seccomp, || "load the seccomp filter")
    }
}
