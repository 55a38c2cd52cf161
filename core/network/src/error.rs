//! What goes wrong when a plan is made real, with the operation and the object it was done to.

use davit_model::error::PolicyError;
use nix::errno::Errno;
use std::io;

/// The result of everything here.
pub type Result<T> = std::result::Result<T, NetError>;

/// An operation on the network failed.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The kernel refused a netlink request.
    #[error("{operation} {object}: {errno}{}", hint(.detail))]
    Netlink {
        /// What was tried, such as `create bridge`.
        operation: &'static str,
        /// The kernel object by name.
        object: String,
        /// The kernel's answer.
        errno: Errno,
        /// The text of the extended acknowledgement; empty where the kernel gave none.
        detail: String,
    },
    /// A system call or a file under `/proc/sys` failed.
    #[error("{operation} {object}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The object by name.
        object: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A netlink answer was cut short or not what the protocol says.
    #[error("{operation} {object}: the kernel's answer cannot be read")]
    Answer {
        /// What was tried.
        operation: &'static str,
        /// The object by name.
        object: String,
    },
    /// This kernel cannot make it.
    #[error("unsupported: {what}: {why}")]
    Unsupported {
        /// The object or setting.
        what: String,
        /// What is missing.
        why: String,
    },
    /// A grant is missing, or a setting is not on the list.
    #[error("denied: {0}")]
    Denied(String),
    /// It collides with what is there.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The plan cannot be.
    #[error("invalid plan: {0}")]
    Plan(String),
    /// Several steps of an undoing failed; the others were done.
    #[error("{} steps of the undoing failed: {}", .0.len(), join(.0))]
    Undo(Vec<NetError>),
}

impl NetError {
    /// The kernel's error number, where there is one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Netlink { errno, .. } => Some(*errno),
            Self::Io { source, .. } => source.raw_os_error().map(Errno::from_raw),
            _ => None,
        }
    }

    pub(crate) fn io(operation: &'static str, object: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { operation, object: object.into(), source: source.into() }
    }

    /// `Ok` where nothing failed, the error itself where one did, else all of them.
    pub(crate) fn gather(mut errors: Vec<NetError>) -> Result<()> {
        match (errors.len(), errors.pop()) {
            (_, None) => Ok(()),
            (1, Some(only)) => Err(only),
            (_, Some(last)) => {
                errors.push(last);
                Err(Self::Undo(errors))
            }
        }
    }
}

impl From<&NetError> for PolicyError {
    fn from(error: &NetError) -> Self {
        match error {
            NetError::Unsupported { what, why } => Self::Unsupported(format!("{what}: {why}")),
            NetError::Denied(text) => Self::Denied(text.clone()),
            NetError::Conflict(text) => Self::Conflict(text.clone()),
            NetError::Plan(text) => Self::Invalid(text.clone()),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<NetError> for PolicyError {
    fn from(error: NetError) -> Self {
        Self::from(&error)
    }
}

/// Treats `absent` answers as done: what is to be removed is not there.
pub(crate) fn absent_is_done(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if matches!(error.errno(), Some(Errno::ENODEV | Errno::ENOENT | Errno::EADDRNOTAVAIL)) => Ok(()),
        other => other,
    }
}

fn hint(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

fn join(errors: &[NetError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(object: &str, errno: Errno) -> NetError {
        NetError::Netlink { operation: "delete link", object: object.into(), errno, detail: "busy with it".into() }
    }

    #[test]
    fn an_undoing_reports_all_that_failed() {
        let both = NetError::gather(vec![refused("a", Errno::EBUSY), refused("b", Errno::EPERM)]);
        let text = both.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains("delete link a: EBUSY") && text.contains("delete link b: EPERM"), "{text}");
        assert!(matches!(NetError::gather(vec![refused("a", Errno::EBUSY)]), Err(NetError::Netlink { .. })));
        assert!(NetError::gather(Vec::new()).is_ok());
    }

    #[test]
    fn removing_what_is_not_there_is_done() {
        assert!(absent_is_done(Err(refused("a", Errno::ENODEV))).is_ok());
        assert!(absent_is_done(Err(refused("a", Errno::EPERM))).is_err());
    }
}
