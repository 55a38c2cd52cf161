//! Why a container did not start: the stage, the object, and the kernel's error number, in a form that crosses a socket.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;

/// The part of a start that failed. [`Stage::Lookup`] and [`Stage::Exec`] are the user's mistakes, the others ours or
/// the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The request itself.
    Request,
    /// Making the process.
    Clone,
    /// Joining cgroups.
    Cgroup,
    /// Joining or leaving namespaces.
    Namespace,
    /// Mounting the root file system.
    Root,
    /// Mounting what else is in it.
    Mount,
    /// Making device nodes.
    Device,
    /// Kernel settings.
    Sysctl,
    /// User, groups, capabilities, limits.
    Identity,
    /// Streams and terminal.
    Streams,
    /// The working directory.
    WorkDir,
    /// The seccomp filter.
    Seccomp,
    /// Finding the program.
    Lookup,
    /// Waiting for leave to start.
    Gate,
    /// Becoming the program.
    Exec,
}

/// A failed start. Shown as it is to a user: `exec: "nosuch": executable file not found in $PATH`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Which part.
    pub stage: Stage,
    /// What was tried with which object, and why it failed.
    pub message: String,
    /// The kernel's error number, where there was one.
    pub errno: Option<i32>,
}

impl Failure {
    /// A failure without an error number.
    pub fn new(stage: Stage, message: impl Into<String>) -> Self {
        Self { stage, message: message.into(), errno: None }
    }

    /// The exit status that Docker and the shells give such a start: 127 not found, 126 not executable, 125 otherwise.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match (self.stage, self.errno) {
            (Stage::Lookup | Stage::Exec, None | Some(nix::libc::ENOENT | nix::libc::ENOTDIR)) => 127,
            (Stage::Lookup | Stage::Exec, Some(_)) => 126,
            _ => 125,
        }
    }
}

/// Says which stage and object an operating system's error was about.
pub(crate) trait At<T> {
    /// `what` reads as `operation object`: `mount proc on /proc`.
    fn at<M: fmt::Display>(self, stage: Stage, what: impl FnOnce() -> M) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at<M: fmt::Display>(self, stage: Stage, what: impl FnOnce() -> M) -> Result<T, Failure> {
        self.map_err(|e| {
            let error: io::Error = e.into();
            Failure { stage, message: format!("{}: {}", what(), reason(&error)), errno: error.raw_os_error() }
        })
    }
}

/// The error as text, lowercase and without Rust's `(os error N)`.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    }
}

/// An error with its causes on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
