//! `cargo xtask guests`: the misbehaving components that the plugin host is tested with.

use crate::{plugins, workspace};
use anyhow::Result;

pub(crate) fn run() -> Result<()> {
    let sources = plugins::sources(&workspace::root()?.join("core/plugin-host/tests/guests"))?;
    let into = workspace::target_dir()?.join("plugins/guests");
    for (source, component) in plugins::compile(&sources)? {
        workspace::write_if_changed(&into.join(format!("{}.wasm", source.name)), &component)?;
    }
    println!("{}", into.display());
    Ok(())
}
