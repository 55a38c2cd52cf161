//! What is to be run in a container that runs already.

use oci_spec::runtime::Process;
use serde::{Deserialize, Serialize};

/// A process to run in a container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecSpec {
    /// Arguments, environment, capabilities, limits, working directory, terminal and its size.
    pub process: Process,
    /// `user[:group]`, resolved inside the container's root; none: `process.user`.
    #[serde(default)]
    pub user: Option<String>,
    /// Supplementary groups beside it.
    #[serde(default)]
    pub groups: Vec<String>,
}
