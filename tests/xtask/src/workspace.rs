//! Where things are in this workspace.

use anyhow::{Context, Result};
use std::{
    env,
    path::{Path, PathBuf},
};

/// The root of the workspace: two folders above this crate.
pub(crate) fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_owned).context("tests/xtask is not two folders beneath the workspace")
}

/// Cargo's target folder: `CARGO_TARGET_DIR`, else `target` in the root.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let root = root()?;
    Ok(env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir)))
}

/// Where the components go, beside the binaries that look for them there.
pub(crate) fn components_dir() -> Result<PathBuf> {
    Ok(target_dir()?.join("release/plugins"))
}

/// The cargo that started us.
pub(crate) fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// This program, to start it again. A build that ran meanwhile may have put a newer one in its place.
pub(crate) fn this_program() -> Result<PathBuf> {
    let path = env::current_exe().context("cannot find this program")?;
    let text = path.to_string_lossy();
    Ok(text.strip_suffix(" (deleted)").map_or_else(|| path.clone(), PathBuf::from))
}

/// A compiler name from `RUSTC`, else the one on the path.
pub(crate) fn rustc() -> PathBuf {
    env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from)
}

/// Writes a file only where its content differs, so that what depends on its time is not done again.
pub(crate) fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    }
    let beside = path.with_extension("new");
    std::fs::write(&beside, bytes).with_context(|| format!("cannot write {}", beside.display()))?;
    std::fs::rename(&beside, path).with_context(|| format!("cannot rename to {}", path.display()))?;
    Ok(true)
}
