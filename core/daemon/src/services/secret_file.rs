//! Files that hold secrets: read only where nobody else can read them.

use davit_model::error::PolicyError;
use std::{io::ErrorKind, os::unix::fs::MetadataExt, path::Path};
use tokio::{fs::File, io::AsyncReadExt};

const LARGEST: u64 = 1 << 20;

/// The whole file as text. `denied` where its mode lets others read it.
pub(super) async fn read(path: &Path) -> Result<String, PolicyError> {
    let failed = |e: std::io::Error| PolicyError::Unavailable {
        retry_ms: 0,
        message: match e.kind() {
            // In the system's words it would be taken for a container's missing program.
            ErrorKind::NotFound => format!("{} is not there", path.display()),
            _ => format!("{} cannot be read: {e}", path.display()),
        },
    };
    let file = File::open(path).await.map_err(failed)?;
    let meta = file.metadata().await.map_err(failed)?;
    if meta.mode() & 0o077 != 0 {
        let text = format!("{} can be read by others; run: chmod 600 {}", path.display(), path.display());
        return Err(PolicyError::Denied(text));
    }
    if !meta.is_file() || meta.len() > LARGEST {
        return Err(PolicyError::Invalid(format!("{} is no file of at most {LARGEST} bytes", path.display())));
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).await.map_err(failed)?;
    Ok(text)
}
