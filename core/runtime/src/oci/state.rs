//! The folder that remembers a container of the OCI command line: made exclusively, so that a name is taken once.

use super::OciError;
use std::path::{Path, PathBuf};

/// A container's folder beneath `--root`; removed again when dropped.
#[derive(Debug)]
pub(super) struct StateDir(PathBuf);

impl StateDir {
    pub(super) fn claim(root: &Path, id: &str) -> Result<Self, OciError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '.');
        if id.is_empty() || id.len() > 1024 || id.starts_with('.') || !id.chars().all(fits) {
            return Err(OciError::Id(id.to_owned()));
        }
        let path = root.join(id);
        let mut made = std::fs::create_dir(&path);
        if made.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
            made = std::fs::create_dir_all(root).and_then(|()| std::fs::create_dir(&path));
        }
        match made {
            Ok(()) => Ok(Self(path)),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Err(OciError::Exists(id.to_owned())),
            Err(source) => Err(OciError::File { what: "make", path, source }),
        }
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        // A folder that stays behind keeps the name taken, and says so at the next start.
        std::fs::remove_dir_all(&self.0).ok();
    }
}
