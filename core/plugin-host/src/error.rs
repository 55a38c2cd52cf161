//! Why a plugin cannot be loaded.

use std::path::PathBuf;

/// Why the host, or a plugin, cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// wasmtime cannot be set up on this machine.
    #[error("plugin host: {what}: {source}")]
    Host {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: wasmtime::Error,
    },
    /// A file or folder of the host's own.
    #[error("plugin host: {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The folder of compiled forms could be written to by others; loading from it would run their code.
    #[error("plugin host: {} must belong to this user and be writable by nobody else", path.display())]
    UnsafeCache {
        /// The folder.
        path: PathBuf,
    },
    /// The component, its manifest or its grant cannot be used.
    #[error("plugin {name} ({origin}): {reason}")]
    Plugin {
        /// Its name in the site's file.
        name: String,
        /// The file, or its digest.
        origin: String,
        /// What is wrong, and what to do.
        reason: String,
    },
}
