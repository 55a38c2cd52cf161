//! The one error type of this crate: operation, object, source. Knows no HTTP status; the engine maps the variants.

use crate::db::{DbError, state::StateError};
use davit_model::{digest::Digest, error::PortError, journal::JournalError};
use std::io;

/// Shorthand.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What went wrong in the store. Texts are for people: lowercase, no final period.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A system call failed.
    #[error("cannot {op} {object}: {source}")]
    Io {
        /// What was tried, a verb: `write`, `open`.
        op: &'static str,
        /// What it was tried on.
        object: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The file system is full (ENOSPC or EDQUOT). What was begun has been undone.
    #[error("no space left on the file system of {object} (cannot {op}); free some space and try again")]
    NoSpace {
        /// What was tried.
        op: &'static str,
        /// What it was tried on.
        object: String,
    },
    /// Bytes are not what their digest says.
    #[error("digest of {object} is {got}, expected {want}")]
    WrongDigest {
        /// Which bytes: a blob, or a layer's uncompressed stream.
        object: String,
        /// What they should hash to.
        want: Digest,
        /// What they hash to.
        got: Digest,
    },
    /// More or fewer bytes than declared.
    #[error("size of {object} is {got} bytes, expected {want}")]
    WrongSize {
        /// Which bytes.
        object: String,
        /// Declared.
        want: u64,
        /// Seen; where too many came, the count at which reading stopped.
        got: u64,
    },
    /// Another writer holds the blob.
    #[error("blob {0} is being written already")]
    Busy(Digest),
    /// A layer archive is malformed, hostile or too large.
    #[error("layer archive is refused: {0}")]
    Archive(String),
    /// A manifest or configuration is malformed.
    #[error("{what} is refused: {why}")]
    Document {
        /// `manifest sha256:…`, `configuration sha256:…`.
        what: String,
        /// Why.
        why: String,
    },
    /// Nothing has that name.
    #[error("no such {kind}: {name}")]
    NotFound {
        /// `image`, `blob`, `layer`, `root`.
        kind: &'static str,
        /// What was looked for.
        name: String,
    },
    /// An id prefix fits several images.
    #[error("image id prefix {0:?} is ambiguous")]
    Ambiguous(String),
    /// Something still needs it.
    #[error("{object} is in use: {by}")]
    InUse {
        /// What was to be removed.
        object: String,
        /// By whom.
        by: String,
    },
    /// A storage driver's plan cannot be: two steps collide, a place belongs to someone else.
    #[error("plan of storage driver {driver} is refused: {why}")]
    Plan {
        /// The driver.
        driver: String,
        /// Why.
        why: String,
    },
    /// This file system or kernel cannot do a step.
    #[error("{step} is unsupported: needs {feature}, which this file system or kernel does not have")]
    Unsupported {
        /// The step.
        step: &'static str,
        /// The feature's name, as in `Facts`.
        feature: String,
    },
    /// The program that writes images is missing or failed.
    #[error("image {image} is not made: {why}")]
    Writer {
        /// Which image.
        image: String,
        /// Why, and what to install where it is missing.
        why: String,
    },
    /// A step failed, and some of the undoing failed too. The journal's entry stays for the next start.
    #[error("{source}; undoing it failed too: {}", undo.join("; "))]
    Undo {
        /// What failed first.
        source: Box<StoreError>,
        /// All that failed while undoing.
        undo: Vec<String>,
    },
    /// A parent layer did not come to be.
    #[error("parent layer failed: {0}")]
    Parent(String),
    /// The work was cancelled, and undone.
    #[error("cancelled")]
    Cancelled,
    /// A storage driver refused or failed.
    #[error(transparent)]
    Driver(#[from] PortError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Another daemon has this data root.
    #[error("data root {0} is in use by another daemon")]
    Locked(String),
    /// A record of ours cannot be read.
    #[error("record of {object} is damaged: {why}")]
    Record {
        /// Which record.
        object: String,
        /// Why.
        why: String,
    },
}

impl StoreError {
    /// An error of a system call; a full file system becomes [`StoreError::NoSpace`].
    pub fn io(op: &'static str, object: impl Into<String>, source: impl Into<io::Error>) -> Self {
        let (object, source) = (object.into(), source.into());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { op, object },
            _ => Self::Io { op, object, source },
        }
    }

    /// Whether it comes from a full file system.
    pub fn is_no_space(&self) -> bool {
        match self {
            Self::NoSpace { .. } => true,
            Self::Undo { source, .. } => source.is_no_space(),
            _ => false,
        }
    }

    pub(crate) fn archive(why: impl Into<String>) -> Self {
        Self::Archive(why.into())
    }

    pub(crate) fn join(e: tokio::task::JoinError) -> Self {
        Self::io("finish", "a task of the store", io::Error::other(e))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(e: rusqlite::Error) -> Self {
        Self::Db(e.into())
    }
}

/// Adds operation and object to a system call's result.
pub(crate) trait IoContext<T> {
    fn doing(self, op: &'static str, object: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<io::Error>> IoContext<T> for std::result::Result<T, E> {
    fn doing(self, op: &'static str, object: impl Into<String>) -> Result<T> {
        self.map_err(|e| StoreError::io(op, object, e))
    }
}

impl From<StateError> for StoreError {
    fn from(e: StateError) -> Self {
        match e {
            StateError::Db(e) => Self::Db(e),
            StateError::Refused(e) => Self::Driver(e),
        }
    }
}
