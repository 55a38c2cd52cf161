//! Why a build ended early. Errors of a line begin with the Dockerfile's name and the line's number.

use crate::{
    config::ConfigError,
    copy::CopyError,
    dockerfile::{error::SyntaxError, expand::ExpandError},
    images::Failure,
    layer::LayerError,
    owner::OwnerError,
    pattern::PatternError,
    tree::{ArchiveError, ResolveError},
};
use davit_model::reference::ReferenceError;
use std::io;

/// Why a build ended early.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Something about a line of the Dockerfile.
    #[error("{file}:{line}: {why}")]
    Line {
        /// The Dockerfile's name in the context.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What.
        #[source]
        why: Why,
    },
    /// The context cannot be read.
    #[error("the build context cannot be used: {0}")]
    Context(#[from] ArchiveError),
    /// No Dockerfile.
    #[error("failed to read dockerfile: no file {0:?} in the build context")]
    NoDockerfile(String),
    /// The Dockerfile cannot be read.
    #[error("failed to read dockerfile: {file}: {source}")]
    Dockerfile {
        /// Its name.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The target is no stage.
    #[error("failed to reach build target {target}: {file} has no such stage")]
    Target {
        /// As asked.
        target: String,
        /// The Dockerfile.
        file: String,
    },
    /// Another platform than this machine's was asked for.
    #[error("{0}")]
    Platform(#[source] Why),
    /// The image was not kept.
    #[error("cannot {op}: {source}")]
    Port {
        /// What was asked of the keeper of images.
        op: &'static str,
        /// Its answer.
        source: Failure,
    },
    /// A value of `SOURCE_DATE_EPOCH` that is no time.
    #[error("SOURCE_DATE_EPOCH is {0:?}, which is no number of seconds since 1970")]
    Epoch(String),
}

/// What is wrong with a line, or with doing it.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// The text.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// Its variables.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// Copying.
    #[error("{instruction} failed: {source}")]
    Copy {
        /// `COPY` or `ADD`.
        instruction: &'static str,
        /// Why.
        source: CopyError,
    },
    /// An owner.
    #[error("--chown: {0}")]
    Owner(#[from] OwnerError),
    /// The layer.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// A folder that leads nowhere.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A rule of `.dockerignore`.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The base's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The base's name.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A layer that is beneath cannot be read.
    #[error("a layer of {image} cannot be read: {source}")]
    Beneath {
        /// The image.
        image: String,
        /// Why.
        source: ArchiveError,
    },
    /// Another platform than this machine's.
    #[error("platform {wanted} is not supported yet: this machine builds for {own}")]
    Platform {
        /// As asked.
        wanted: String,
        /// This machine's.
        own: String,
    },
    /// `--from` or `FROM` names a stage that is not before it.
    #[error("stage {0:?} is not an earlier stage")]
    Stage(String),
    /// A name for two stages.
    #[error("the name {0:?} is taken by an earlier stage")]
    StageTaken(String),
    /// The machine failed.
    #[error("cannot {op}: {source}")]
    Io {
        /// What was tried.
        op: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The keeper of images failed.
    #[error("cannot {op}: {source}")]
    Port {
        /// What was asked.
        op: &'static str,
        /// Its answer.
        source: Failure,
    },
}
