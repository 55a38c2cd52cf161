//! Rust: cargo makes a core module for `wasm32-unknown-unknown`, into which `wit-bindgen` has put the world's type.
//! What a toolchain is asked for is said by cargo's own environment (`RUSTC`, `CARGO_…`), which passes through.

use super::{Project, component, output, read};
use anyhow::{Context as _, Result, bail};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-unknown-unknown";
const FLAGS: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS";
/// A plugin's stack; the compiler's own is 1 MiB, which every instance would have to be given.
const STACK: &str = "-Clink-arg=-zstack-size=131072";
const CARGO: &str = "install Rust with rustup (https://rustup.rs)";

pub(super) fn build(project: &Project) -> Result<Vec<u8>> {
    wanted_target(&project.dir)?;
    let mut cargo = Command::new(program("CARGO", "cargo"));
    cargo.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    cargo.current_dir(&project.dir);
    if env::var_os(FLAGS).is_none() {
        cargo.env(FLAGS, STACK);
    }
    super::shown(&cargo);
    let messages = output(&mut cargo, CARGO)?;
    let module = module(&messages, &project.dir.join("Cargo.toml"))
        .context("cargo made no WebAssembly module; the crate's [lib] wants crate-type = [\"cdylib\"]")?;
    component(&read(&module)?, false)
}

fn program(variable: &str, name: &str) -> PathBuf {
    env::var_os(variable).map_or_else(|| PathBuf::from(name), PathBuf::from)
}

fn wanted_target(dir: &Path) -> Result<()> {
    let mut ask = Command::new(program("RUSTC", "rustc"));
    let libraries = output(ask.args(["--print", "target-libdir", "--target", TARGET]).current_dir(dir), CARGO)?;
    let std = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("libstd-");
    if std::fs::read_dir(libraries.trim()).is_ok_and(|entries| entries.flatten().any(std)) {
        return Ok(());
    }
    bail!("this Rust cannot compile for {TARGET}; run: rustup target add {TARGET}")
}

/// Where cargo says that the module of this package is.
fn module(messages: &str, manifest: &Path) -> Option<PathBuf> {
    let made = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut ours = made.filter(|message| message["manifest_path"].as_str().is_some_and(|it| Path::new(it) == manifest));
    ours.find_map(|message| {
        let files = message["filenames"].as_array()?;
        let module = files.iter().filter_map(|file| file.as_str()).find(|file| file.ends_with(".wasm"))?;
        Some(PathBuf::from(module))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_that_of_the_package_and_not_of_a_dependency() {
        let messages = r#"{"reason":"compiler-artifact","manifest_path":"/p/sdk/Cargo.toml","filenames":["/t/sdk.wasm"]}
{"reason":"build-script-executed"}
not a message
{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/p.d","/t/p.wasm"]}"#;
        assert_eq!(module(messages, Path::new("/p/Cargo.toml")), Some(PathBuf::from("/t/p.wasm")));
        assert_eq!(module(messages, Path::new("/other/Cargo.toml")), None);
    }
}
