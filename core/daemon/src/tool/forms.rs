//! Where an author's compiled forms are kept between two commands: in a folder of the user's own, since a component that
//! carries an interpreter takes half a minute to compile. Nobody else may write there; the plugin host checks it.

use anyhow::{Context as _, Result};
use std::{
    env, fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};
use tempfile::TempDir;

/// How many are kept, the latest used: forms of interpreters take some 40 MB each.
const KEPT: usize = 12;

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
        trim(&folder);
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

/// Takes the oldest away. Who else does so, or uses one meanwhile, compiles it anew.
fn trim(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut all: Vec<(SystemTime, PathBuf)> =
        entries.filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path()))).collect();
    all.sort();
    for (_, path) in all.iter().take(all.len().saturating_sub(KEPT)) {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_latest_forms_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for age in 0..20 {
            let file = fs::File::create(dir.path().join(format!("{age}.cwasm"))).unwrap();
            file.set_modified(now - Duration::from_secs(age * 60)).unwrap();
        }
        trim(dir.path());
        let kept = |age: usize| dir.path().join(format!("{age}.cwasm")).exists();
        assert!((0..KEPT).all(kept) && !(KEPT..20).any(kept));
    }
}
