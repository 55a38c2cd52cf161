//! The OCI command line: `davit-runtime run [-b BUNDLE] ID`, as other engines and conformance suites call it.

mod bundle;
mod confine;
mod console;
mod devices;
mod own_image;
mod refuse;
mod run;
mod signals;
mod state;

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Verbs of the OCI command line.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Create and start a container, wait for it, and exit with its status.
    Run(Run),
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The bundle's folder, with `config.json`.
    #[arg(short, long, default_value = ".")]
    pub bundle: PathBuf,
    /// Write the first process's id here.
    #[arg(long)]
    pub pid_file: Option<PathBuf>,
    /// The container's name: letters, digits, `_`, `+`, `-`, `.`.
    pub id: String,
}

/// A command that failed before there was a container's exit status.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// A file of the bundle or of the state folder.
    #[error("{what} {path}")]
    File {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// `config.json` is not what the specification says.
    #[error("{path} is no OCI runtime configuration")]
    Config {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A request of the bundle that cannot be met: its name in `config.json`.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// A name that could be a path.
    #[error("container id {0:?} may only have letters, digits, `_`, `+`, `-` and `.`, and must not start with `.`")]
    Id(String),
    /// The name is taken.
    #[error("container {0} exists already")]
    Exists(String),
    /// Control groups.
    #[error("prepare the control group")]
    Cgroup(#[from] crate::cgroup::CgroupError),
    /// The filter.
    #[error("compile the seccomp profile")]
    Seccomp(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The container did not start.
    #[error(transparent)]
    Start(#[from] crate::failure::Failure),
    /// A call of the runtime's own.
    #[error("{what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

impl OciError {
    /// The command's exit status for this error: Docker's, where the container's program is to blame; otherwise 125.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        if let Self::Start(failure) = self { failure.exit_code() } else { 125 }
    }
}

/// Runs a verb; the answer is the exit status.
pub fn execute(root: &std::path::Path, verb: &Verb) -> Result<i32, OciError> {
    match verb {
        Verb::Run(run) => run::run(root, run),
    }
}

fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> OciError {
    move |source| OciError::System { what, source }
}
