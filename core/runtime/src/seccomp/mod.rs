//! Which system calls a container may make: from a profile to the classic BPF program that the kernel runs.
//!
//! A walk: [`profile`] reads profiles in Docker's form, whose rules carry conditions (capabilities, kernel,
//! architecture), and decides them for one container: what remains is an OCI `linux.seccomp`. `arch` knows
//! architectures and system call numbers (a data file). `rules` sorts the profile by architecture and number, `program`
//! writes instructions: a dispatch on the architecture, then a binary search over ranges of numbers with one outcome.
//! [`cache`] keeps the result, since profiles repeat.
//!
//! Why an emitter of our own: seccompiler has one action for all matches and no 32-bit architectures; libseccomp would be
//! a C library in a static binary, and Debian 12's does not know the newer names. The tests compare with libseccomp.
//!
//! Where rules meet: a rule without arguments beats those with arguments; else the first that matches. Rules that say
//! what the default says anyway are left out. As runc does, a number above all that the profile names answers
//! `ENOSYS`, so that programs fall back from calls that are newer than the profile.

mod arch;
pub mod cache;
pub mod profile;
mod program;
mod rules;

pub use cache::Cache;
pub use profile::{Facts, default_profile, parse_profile};
pub use program::{Program, compile};

/// Why a profile is no filter.
#[derive(Debug, thiserror::Error)]
pub enum SeccompError {
    /// The profile is not JSON of Docker's form.
    #[error("decode seccomp profile")]
    Decode(#[source] serde_json::Error),
    /// Parts of it contradict each other or name what does not exist.
    #[error("seccomp profile: {0}")]
    Profile(String),
    /// The kernel takes at most 4096 instructions.
    #[error("seccomp profile compiles to {0} instructions, the kernel takes 4096")]
    TooLong(usize),
    /// The cache's folder.
    #[error("{operation} {path}")]
    Cache {
        /// What was tried.
        operation: &'static str,
        /// With which file.
        path: std::path::PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests;
