//! From an OCI bundle to a running process and its end: launcher, monitor, init, resolver, OCI command line.
//!
//! A walk: [`spec::LaunchSpec`] says what to start. `init` runs in the fresh child and turns it into the container's
//! program. [`launcher`] is the
//! process that forks a `monitor` for each container, and the client by which the engine speaks to both; [`report`] is
//! what they say, [`log`] what a container wrote, [`record`] how it ended. [`oci`] is the command line. Nothing in this crate knows images, plugins or HTTP; it has no async runtime, and processes are only ever
//! forked while there is one thread.

pub mod cgroup;
pub mod failure;
mod init;
pub mod launcher;
pub mod log;
mod monitor;
pub mod names;
pub mod oci;
pub mod record;
pub mod report;
pub mod seccomp;
mod socket;
pub mod spec;
pub mod sysctl;
pub mod users;
pub mod view;

pub use monitor::ExecSpec;
