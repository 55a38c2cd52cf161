//! Sockets that the API is served on. A unix socket is made beside its name and moved there, so that nobody meets
//! one with loose permissions, and one that a dead daemon left is replaced.

use std::{io, os::unix::fs::PermissionsExt, path::Path};
use tokio::net::{UnixListener, UnixStream};

/// A socket to serve on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Listener {
    /// A unix socket: the kernel says who calls.
    Unix(UnixListener),
}

/// Why there is no socket at `path`.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A daemon answers there.
    #[error("{path}: another daemon serves this socket")]
    InUse {
        /// The socket's path.
        path: String,
    },
    /// A step failed.
    #[error("{operation} {path}")]
    Failed {
        /// What was tried.
        operation: &'static str,
        /// On which path.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

/// Listens at `path`: mode 0660, and `group` where one is given (its id on this machine).
pub async fn listen(path: &Path, group: Option<u32>) -> Result<Listener, ListenError> {
    let fail = |operation| {
        let path = path.display().to_string();
        move |source| ListenError::Failed { operation, path, source }
    };
    if UnixStream::connect(path).await.is_ok() {
        return Err(ListenError::InUse { path: path.display().to_string() });
    }
    // One name for all: what a daemon left that was killed before it had moved it is taken away by the next.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    match std::fs::remove_file(beside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail("removing")(e)),
        _ => {}
    }
    let listener = UnixListener::bind(beside).map_err(fail("listening at"))?;
    std::fs::set_permissions(beside, std::fs::Permissions::from_mode(0o660)).map_err(fail("permissions of"))?;
    if group.is_some() {
        std::os::unix::fs::chown(beside, None, group).map_err(fail("group of"))?;
    }
    std::fs::rename(beside, path).map_err(fail("naming"))?;
    Ok(Listener::Unix(listener))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_daemons_socket_is_replaced_and_a_living_ones_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        drop(UnixListener::bind(dir.path().join("s.sock.new")).unwrap());
        drop(listen(&path, None).await.unwrap());
        let living = listen(&path, None).await.unwrap();
        assert!(matches!(listen(&path, None).await, Err(ListenError::InUse { .. })));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        drop(living);
    }
}
