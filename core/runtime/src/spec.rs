//! What the launcher is asked to start: an OCI runtime specification and what that cannot say.

use davit_model::{secret::Secret, storage::RootMount};
use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A container to start. It is parsed by init, in the container's own process, and by nobody else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchSpec {
    /// The OCI runtime specification. `root.path` and, where [`user`](Self::user) is given, `process.user` are not read.
    pub oci: Spec,
    /// What the root file system is made of.
    pub root: RootSource,
    /// Which way overlay is mounted; none: the best that the kernel has.
    #[serde(default)]
    pub overlay_tier: Option<OverlayTier>,
    /// `user[:group]`, resolved inside the container's root; none: `process.user` of the specification.
    #[serde(default)]
    pub user: Option<String>,
    /// Supplementary groups beside it, names or numbers.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Secrets that it gets as files in memory.
    #[serde(default)]
    pub secrets: Vec<SecretContent>,
    /// Standard streams.
    pub streams: Streams,
}

/// A secret on its way into a container. It travels in the request's sealed memory and is written nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretContent {
    /// The file, an absolute path inside the container.
    pub at: PathBuf,
    /// What is in it.
    pub content: Secret,
    /// Permission bits.
    pub mode: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// Where the root file system comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootSource {
    /// Made of names beneath the area whose descriptor came with the request.
    Area(RootMount),
    /// A folder of the host (an OCI bundle's `root.path`, already made absolute).
    Path(PathBuf),
}

/// The three ways to hand layers to overlayfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverlayTier {
    /// `lowerdir+` by descriptor: Linux 6.13.
    Descriptor,
    /// `lowerdir+` by `/proc/self/fd/N`: Linux 6.8.
    ProcPath,
    /// `mount(2)` from inside the area with short names: any kernel.
    ShortNames,
}

/// What the process's standard streams are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Streams {
    /// A terminal of the container's own devpts.
    Terminal {
        /// Lines; 0: unknown.
        rows: u16,
        /// Columns.
        cols: u16,
    },
    /// FIFOs in the run directory; `stdin` open or `/dev/null`.
    Fifos {
        /// Whether standard input stays open.
        stdin: bool,
    },
    /// Those of the calling process, or descriptors that came with the request.
    Inherited,
}
