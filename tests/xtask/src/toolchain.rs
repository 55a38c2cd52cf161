//! A Rust compiler that knows `wasm32-unknown-unknown`, by the first road that works: the active toolchain's own
//! target, `rustup target add`, and on Debian the distribution's web compiler with its standard library built once
//! into a private folder. Nothing is installed system-wide by the last road, nothing is shadowed.

mod debian;

use crate::{command, workspace};
use anyhow::{Context, Result, bail};
use std::{
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
const RUSTUP_DEADLINE: Duration = Duration::from_secs(60);

/// What must be in cargo's environment to compile for WebAssembly.
#[derive(Clone, Debug, Default)]
pub(crate) struct WasmToolchain {
    environment: Vec<(String, OsString)>,
}

impl WasmToolchain {
    /// Adds the environment to a cargo command.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        for (name, value) in &self.environment {
            cargo.env(name, value);
        }
    }

    /// Tells tests of it, under names that do not change how they themselves are compiled.
    pub(crate) fn tell(&self, tests: &mut Command) {
        for (name, value) in &self.environment {
            tests.env(format!("DAVIT_WASM_{name}"), value);
        }
    }
}

/// Finds or makes the toolchain. Two runs at a time wait for each other.
pub(crate) fn ensure() -> Result<WasmToolchain> {
    if has_target()? {
        return Ok(WasmToolchain::default());
    }
    let cache = workspace::target_dir()?.join("wasm-toolchain");
    std::fs::create_dir_all(&cache).with_context(|| format!("cannot make the folder {}", cache.display()))?;
    let lock = File::create(cache.join("lock")).context("cannot make the toolchain's lock file")?;
    lock.lock().context("cannot lock the toolchain's folder")?;
    if let Some(ready) = debian::ready(&cache)? {
        return with_linker(ready);
    }
    command::step("no WebAssembly target in the active toolchain: asking rustup for it");
    match command::run_for(Command::new("rustup").args(["target", "add", TARGET]), RUSTUP_DEADLINE) {
        Ok(Some(status)) if status.success() && has_target()? => return Ok(WasmToolchain::default()),
        Ok(Some(status)) => command::step(&format!("rustup could not add it ({status}): trying Debian's packages")),
        Ok(None) => command::step("rustup did not answer within a minute: trying Debian's packages"),
        Err(error) => command::step(&format!("{error:#}: trying Debian's packages")),
    }
    let wrapper = debian::make(&cache).context(
        "no way to compile WebAssembly: neither `rustup target add wasm32-unknown-unknown` nor Debian's rustc-web \
         worked; add the target to the active toolchain by hand and run this again",
    )?;
    with_linker(wrapper)
}

fn with_linker(rustc: PathBuf) -> Result<WasmToolchain> {
    let linker = rust_lld()?;
    Ok(WasmToolchain {
        environment: vec![
            ("RUSTC".to_owned(), rustc.into_os_string()),
            ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER".to_owned(), linker.into_os_string()),
        ],
    })
}

fn has_target() -> Result<bool> {
    let mut ask = Command::new(workspace::rustc());
    ask.args(["--print", "target-libdir", "--target", TARGET]).current_dir(workspace::root()?);
    let dir = command::output(&mut ask)?;
    Ok(holds_std(Path::new(dir.trim())))
}

fn holds_std(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libstd-") && name.ends_with(".rlib")
        })
    })
}

/// The linker that rustup's toolchain carries for its own host.
fn rust_lld() -> Result<PathBuf> {
    let mut ask = Command::new(workspace::rustc());
    ask.args(["--print", "target-libdir"]).current_dir(workspace::root()?);
    let libdir = command::output(&mut ask)?;
    let linker = Path::new(libdir.trim()).parent().map(|host| host.join("bin/rust-lld"));
    match linker {
        Some(path) if path.exists() => Ok(path),
        _ => bail!("the active toolchain has no rust-lld; install Rust by rustup"),
    }
}
