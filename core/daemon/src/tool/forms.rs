//! Where an author's compiled forms are kept between two commands: in a folder of the user's own, since a component that
//! carries an interpreter takes half a minute to compile. Nobody else may write there; the plugin host checks it.

use anyhow::{Context as _, Result};
use std::{
    env, fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The folder; without a home it goes with this process.
#[derive(Debug)]
pub(super) enum Forms {
    /// `$XDG_CACHE_HOME/davit/compiled`, else `~/.cache/davit/compiled`.
    Kept(PathBuf),
    /// For this process alone.
    Passing(TempDir),
}

impl Forms {
    pub(super) fn open() -> Result<Self> {
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
        let Some(folder) = cache.map(|cache| cache.join("davit/compiled")) else { return Self::passing() };
        // A home that cannot be written to is as good as none.
        if fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).is_err() {
            return Self::passing();
        }
        Ok(Self::Kept(folder))
    }

    fn passing() -> Result<Self> {
        Ok(Self::Passing(tempfile::tempdir().context("making a folder for compiled forms")?))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Kept(folder) => folder,
            Self::Passing(folder) => folder.path(),
        }
    }
}
