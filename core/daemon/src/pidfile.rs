//! The daemon's process id on file.

use crate::options::Options;
use anyhow::{Context as _, Result};
use std::path::PathBuf;

/// The file; removed on drop.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    pub(crate) fn write(options: &Options) -> Result<Self> {
        let path = options.pidfile.clone().unwrap_or_else(|| options.exec_root.join("davitd.pid"));
        std::fs::write(&path, format!("{}\n", std::process::id()))
            .with_context(|| format!("writing the pidfile {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
