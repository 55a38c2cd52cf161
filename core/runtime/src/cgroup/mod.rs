//! Control groups: where they are mounted, one group a container over all hierarchies, and what is set and read there.
//!
//! A walk: [`Hierarchies::detect`] reads this process's own `mountinfo` and `cgroup` files, so v1, hybrid and pure v2
//! machines, and engines inside containers, are told apart by mount and not by guess. [`Hierarchies::create`] makes a
//! [`Group`] in every hierarchy and writes its limits; [`limits::Limits`] is the seam between the two generations
//! (`v1`, `v2`), chosen controller by controller. A child joins through [`Group::joins`]: on v1 by writing
//! `0` to each `tasks` file itself, on v2 through `CLONE_INTO_CGROUP`; nothing here moves a process. `freeze` stops,
//! thaws and kills; `stats` reads. A limit that cannot be set is an error, and so are device rules
//! that cannot be put in force: nothing runs with less than it was given.
//!
//! All files are written by descriptor, and both the write and the close are checked.

mod abilities;
mod detect;
mod devices;
mod file;
mod freeze;
mod group;
pub mod limits;
mod stats;
mod v1;
mod v2;

pub use abilities::Abilities;
pub use detect::{Hierarchies, Mode};
pub use group::{Group, Joins};
pub use stats::{CpuStats, IoStats, MemoryStats, PidsStats, Stats};

use std::io;

/// Why a control group could not be made, changed, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// A file of `/proc` that says where the hierarchies are.
    #[error("read {0}")]
    Detect(&'static str, #[source] io::Error),
    /// No control group file system is mounted here.
    #[error("no cgroup hierarchy is mounted")]
    NoHierarchy,
    /// A path that is no cgroup path.
    #[error("cgroup path {0:?} has an empty, `.` or `..` component")]
    Path(String),
    /// Making a directory.
    #[error("make cgroup {path} in the {hierarchy} hierarchy")]
    Make {
        /// The group.
        path: String,
        /// `memory`, `cpu,cpuacct`, `unified`.
        hierarchy: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Writing one of its files.
    #[error("write {value:?} to {file} of the cgroup")]
    Write {
        /// The file.
        file: String,
        /// What was to be written.
        value: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Reading one of its files.
    #[error("read {file} of the cgroup")]
    Read {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A limit for which this kernel has no controller.
    #[error("{what} cannot be limited: the {controller} controller is not available in this cgroup")]
    NoController {
        /// What was to be limited.
        what: &'static str,
        /// Which controller does that.
        controller: &'static str,
    },
    /// The program that holds access to devices on v2. The kernel's or the engine's own rights are too few.
    #[error(
        "{operation} the program that restricts access to devices: bpf(2) needs CAP_SYS_ADMIN (or CAP_BPF) and a kernel \
         with CONFIG_CGROUP_BPF"
    )]
    DeviceProgram {
        /// `load` or `attach`.
        operation: &'static str,
        /// Why; where the verifier refused it, with its words.
        #[source]
        source: io::Error,
    },
    /// Values that contradict each other or that this generation of control groups cannot express.
    #[error("{0}")]
    Invalid(String),
    /// It was still not so at the deadline.
    #[error("cgroup {path} {problem} after {seconds} s")]
    Deadline {
        /// The group.
        path: String,
        /// `is still busy`, `is not frozen`, `still has processes`.
        problem: &'static str,
        /// How long was waited.
        seconds: f64,
    },
    /// Removing a directory.
    #[error("remove cgroup {path}")]
    Remove {
        /// The group.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl CgroupError {
    /// Whether a directory was removed while it was worked in: its files then answer `ENODEV`.
    fn is_gone(&self) -> bool {
        match self {
            Self::Make { source, .. } | Self::Read { source, .. } | Self::Write { source, .. } => {
                matches!(source.raw_os_error(), Some(nix::libc::ENOENT | nix::libc::ENODEV))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
