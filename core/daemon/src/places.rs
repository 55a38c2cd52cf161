//! Where the daemon finds its parts: the shipped plugins, the runtime, the site's file.

use crate::options::Options;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// The parts that were found.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) plugins: PathBuf,
    pub(crate) runtime: PathBuf,
    pub(crate) site_file: PathBuf,
}

/// The name of the shipped site file, in the folder of the shipped plugins.
const SHIPPED_SITE: &str = "site.toml";

impl Places {
    pub(crate) fn find(options: &Options) -> Result<Self> {
        let program = std::env::current_exe().context("finding the path of this program")?;
        let beside = program.parent().unwrap_or(Path::new("/"));
        let plugins = match &options.plugin_dir {
            Some(dir) => dir.clone(),
            None => first(&[beside.join("plugins"), PathBuf::from("/usr/lib/davit/plugins")])
                .unwrap_or(beside.join("plugins")),
        };
        let runtime = match &options.runtime {
            Some(file) => file.clone(),
            None => first(&[beside.join("davit-runtime"), PathBuf::from("/usr/lib/davit/davit-runtime")])
                .with_context(|| format!("davit-runtime is not in {}; give --runtime", beside.display()))?,
        };
        let site_file = match &options.config_file {
            Some(file) => file.clone(),
            None => match first(&[PathBuf::from("/etc/davit/config.toml"), plugins.join(SHIPPED_SITE)]) {
                Some(file) => file,
                None => bail!(
                    "no plugins are built: {} is not there; run: cargo xtask build (or give --config-file)",
                    plugins.join(SHIPPED_SITE).display()
                ),
            },
        };
        Ok(Self { plugins, runtime, site_file })
    }
}

fn first(candidates: &[PathBuf]) -> Option<PathBuf> {
    candidates.iter().find(|p| p.exists()).cloned()
}
