//! `cargo xtask build`: `davit`, `davitd` and `davit-runtime` in `target/release`, the components beside them.

use crate::{command, demo, plugins, workspace};
use anyhow::{Context, Result};
use std::{env, fs, path::PathBuf, process::Command};

/// What to leave out.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only the plugin components.
    #[arg(long)]
    plugins_only: bool,
    /// Only the binaries.
    #[arg(long, conflicts_with = "plugins_only")]
    binaries_only: bool,
    /// Only this plugin's component; may be said more than once.
    #[arg(long = "plugin", value_name = "NAME", conflicts_with_all = ["plugins_only", "binaries_only"])]
    plugins: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if !options.plugins.is_empty() {
        return plugins::run(&options.plugins);
    }
    if !options.plugins_only {
        binaries()?;
        static_runtime()?;
    }
    if !options.binaries_only {
        plugins::run(&[])?;
    }
    Ok(())
}

/// Everything.
pub(crate) fn all() -> Result<()> {
    run(&Options { plugins_only: false, binaries_only: false, plugins: Vec::new() })
}

/// Everything with the tests' own dependencies, whose features would otherwise have the heavy crates compiled twice.
pub(crate) fn for_tests() -> Result<()> {
    command::step("building the programs and their tests (a first build takes several minutes)");
    let mut cargo = Command::new(workspace::cargo());
    cargo.args(["build", "--release", "--all-targets"]).current_dir(workspace::root()?);
    command::run(&mut cargo, "the compiler's own words are above")?;
    static_runtime()?;
    plugins::run(&[])
}

/// A copy of the programs and components for the tests: cargo may put others in their place while it tests.
pub(crate) fn tested() -> Result<PathBuf> {
    let (from, to) = (workspace::target_dir()?.join("release"), workspace::target_dir()?.join("tested"));
    let plugins = workspace::components_dir()?;
    fs::create_dir_all(to.join("plugins")).with_context(|| format!("cannot make the folder {}", to.display()))?;
    let programs = ["davit", "davitd", "davit-runtime", "xtask"].map(|name| (from.join(name), to.join(name)));
    let mut copies = Vec::from(programs);
    for entry in fs::read_dir(&plugins).with_context(|| format!("cannot read {}", plugins.display()))? {
        let entry = entry?;
        copies.push((entry.path(), to.join("plugins").join(entry.file_name())));
    }
    copies.push((demo::site_login()?, to.join("site-login.wasm")));
    for (source, copy) in copies {
        // Beside and renamed: a program that runs cannot be written to.
        let beside = copy.with_extension("new");
        fs::copy(&source, &beside).with_context(|| format!("cannot copy {}", source.display()))?;
        fs::rename(&beside, &copy).with_context(|| format!("cannot rename to {}", copy.display()))?;
    }
    Ok(to)
}

/// Takes the programs of a test build out of `target/release`: they have fault points and a planted hole, and a runtime
/// that cargo linked as it links everything. They lie in [`tested`]; for use, others are built.
pub(crate) fn withdraw() -> Result<()> {
    let release = workspace::target_dir()?.join("release");
    for name in ["davit", "davitd", "davit-runtime"] {
        let program = release.join(name);
        match fs::remove_file(&program) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("cannot remove {}", program.display()));
            }
            _ => {}
        }
    }
    command::step("for use, build the programs without what tests need: cargo xtask build");
    Ok(())
}

fn binaries() -> Result<()> {
    command::step("building davit and davitd (a first build takes several minutes)");
    let mut cargo = Command::new(workspace::cargo());
    cargo.args(["build", "--release", "--bin", "davit", "--bin", "davitd"]).current_dir(workspace::root()?);
    command::run(&mut cargo, "the compiler's own words are above")
}

/// The runtime is static, so that it runs in any mount namespace; a folder of its own keeps its flags from
/// invalidating everybody else's build.
fn static_runtime() -> Result<()> {
    command::step("building davit-runtime, static");
    let own = workspace::target_dir()?.join("static");
    let host = host_triple()?;
    let flags = format!("CARGO_TARGET_{}_RUSTFLAGS", host.replace('-', "_").to_uppercase());
    let mut cargo = Command::new(workspace::cargo());
    cargo
        .args(["build", "--release", "--package", "davit-runtime", "--bin", "davit-runtime", "--target", &host])
        .arg("--target-dir")
        .arg(&own)
        .env(flags, "-Ctarget-feature=+crt-static")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(workspace::root()?);
    command::run(&mut cargo, "the compiler's own words are above")?;
    let built = own.join(&host).join("release/davit-runtime");
    let bytes = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    let place = workspace::target_dir()?.join("release/davit-runtime");
    if workspace::write_if_changed(&place, &bytes)? {
        let executable = fs::metadata(&built)?.permissions();
        fs::set_permissions(&place, executable)?;
    }
    Ok(())
}

/// The target that the compiler makes programs for by itself.
pub(crate) fn host_triple() -> Result<String> {
    if let Some(host) = env::var_os("CARGO_BUILD_TARGET") {
        return host.into_string().ok().context("CARGO_BUILD_TARGET is not UTF-8");
    }
    let words = command::output(Command::new(workspace::rustc()).arg("-vV").current_dir(workspace::root()?))?;
    words.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned).context("rustc does not say its host")
}
