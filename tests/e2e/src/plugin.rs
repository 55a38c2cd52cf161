//! Plugins of a test's own, made of shipped ones, and what is said of a site's file.

use crate::{Done, run};
use anyhow::{Context as _, Result, ensure};
use davit_fixtures::daemon::{Daemon, programs};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A shipped component with another manifest: the file `name` in `dir`.
pub fn embed(daemon: &Daemon, dir: &Path, shipped: &str, manifest: &str, name: &str) -> Result<PathBuf> {
    let (text, plugin) = (dir.join("plugin.toml"), dir.join(name));
    fs::write(&text, manifest)?;
    let mut davit = daemon.davit();
    davit.args(["plugin", "embed"]).arg(programs().join(format!("plugins/{shipped}.wasm")));
    davit.arg("-m").arg(&text).arg("-o").arg(&plugin);
    run(davit, None)?.success()?;
    Ok(plugin)
}

/// `davitd --validate` on the daemon's own site file and roots.
pub fn validate(daemon: &Daemon) -> Result<Done> {
    let mut davitd = Command::new(programs().join("davitd"));
    davitd.arg("--validate").arg("--config-file").arg(daemon.site_file().context("the site has a file")?);
    davitd.arg("--data-root").arg(daemon.data_root()).arg("--exec-root").arg(daemon.exec_root());
    run(davitd, None)
}

/// That a command failed, and said this.
pub fn refused(done: &Done, says: &[&str]) -> Result<()> {
    let said = says.iter().all(|s| done.stderr.contains(s));
    ensure!(done.code != 0 && said && !done.stderr.contains("panicked"), "want {says:?}, got {done:?}");
    Ok(())
}

/// A path as a word of a command.
pub fn show(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
