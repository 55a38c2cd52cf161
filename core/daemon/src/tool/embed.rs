//! `davit plugin embed`: puts a manifest into a component, which makes a plugin of it.

use super::{component, read};
use anyhow::{Context as _, Result, anyhow};
use davit_plugin_host::Manifest;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The component
    #[arg(value_name = "FILE")]
    component: PathBuf,
    /// The manifest
    #[arg(short, long, value_name = "FILE", default_value = "plugin.toml")]
    manifest: PathBuf,
    /// Where the plugin is written [default: in the component's place]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> Result<ExitCode> {
    let (bytes, manifest) = (component(&options.component)?, read(&options.manifest)?);
    let plugin = Manifest::embed(&bytes, manifest.as_bytes())
        .map_err(|e| anyhow!("{} with {}: {e}", options.component.display(), options.manifest.display()))?;
    let output = options.output.as_ref().unwrap_or(&options.component);
    std::fs::write(output, plugin).with_context(|| format!("cannot write {}", output.display()))?;
    Ok(ExitCode::SUCCESS)
}
