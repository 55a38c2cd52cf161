//! `exec`: another process in a running container. Its streams are pipes that this daemon holds, or a terminal.

use crate::{Attached, Engine, EngineError};
use std::collections::BTreeMap;

/// What is to be run.
#[derive(Clone, Debug, Default)]
pub struct ExecOptions {
    /// Program and arguments.
    pub cmd: Vec<String>,
    /// A terminal.
    pub tty: bool,
    /// Standard input is attached.
    pub stdin: bool,
    /// Standard output is attached.
    pub stdout: bool,
    /// Standard error is attached.
    pub stderr: bool,
    /// Added to the container's environment, `NAME=value`.
    pub env: Vec<String>,
    /// Working directory; none: the container's.
    pub cwd: Option<String>,
    /// User; none: the container's.
    pub user: Option<String>,
    /// With all capabilities.
    pub privileged: bool,
    /// Keys that detach, as the client wrote them; for `inspect`.
    pub detach_keys: Option<String>,
}

/// An exec session, for `inspect`.
#[derive(Clone, Debug)]
pub struct ExecDetails {
    /// Its id, 64 hex digits.
    pub id: String,
    /// The container's id.
    pub container: String,
    /// Whether the process runs.
    pub running: bool,
    /// Its exit status, once it has ended.
    pub exit_code: Option<i64>,
    /// Its process id on the host; 0 before the start.
    pub pid: u32,
    /// What was asked.
    pub options: ExecOptions,
}
