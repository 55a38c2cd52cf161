//! `davit plugin build`: a plugin's folder becomes a component with its manifest in it. The language is told by the file
//! that its own tools look for; a file here for each runs those tools and answers a component, and knows nothing of the
//! others. Nothing of this looks into the component: that is `davit plugin check`.

mod c;
mod go;
mod js;
mod python;
mod rust;

use super::say;
use anyhow::{Context as _, Result, anyhow, bail};
use davit_plugin_host::Manifest;
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    io::{ErrorKind, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus, Stdio},
};

/// A component of no sections: a manifest can be tried on it.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The plugin's folder
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// The folder of one plugin.
#[derive(Debug)]
pub(super) struct Project {
    /// Its absolute path.
    pub(super) dir: PathBuf,
    /// The name that `plugin.toml` gives.
    pub(super) name: String,
}

type Build = fn(&Project) -> Result<Vec<u8>>;

/// The file that tells a language, and what to do then.
const LANGUAGES: &[(&str, Build)] = &[
    ("Cargo.toml", rust::build),
    ("package.json", js::build),
    ("pyproject.toml", python::build),
    ("go.mod", go::build),
    ("Makefile", c::build),
];

pub(super) fn build(options: &Options) -> Result<ExitCode> {
    let dir = &options.dir;
    let dir = fs::canonicalize(dir).with_context(|| format!("cannot find the folder {}", dir.display()))?;
    let path = dir.join("plugin.toml");
    let manifest = read(&path)?;
    // Before the language's steps, which may take a minute.
    Manifest::embed(EMPTY, &manifest).map_err(|e| anyhow!("{}: {e}", path.display()))?;
    let project = Project { name: name(&manifest).with_context(|| format!("{}", path.display()))?, dir };
    let build = language(&project.dir)?;
    let component = build(&project)?;
    let plugin = Manifest::embed(&component, &manifest).map_err(|e| anyhow!("{}: {e}", path.display()))?;
    let file = project.dir.join(format!("{}.wasm", project.name));
    fs::write(&file, &plugin).with_context(|| format!("cannot write {}", file.display()))?;
    let digest: String = Sha256::digest(&plugin).iter().map(|byte| format!("{byte:02x}")).collect();
    say(&format!("{}: {} KiB, sha256:{digest}", file.display(), plugin.len().div_ceil(1024)));
    Ok(ExitCode::SUCCESS)
}

fn name(manifest: &[u8]) -> Result<String> {
    let manifest: Manifest = toml::from_str(std::str::from_utf8(manifest)?)?;
    Ok(manifest.plugin.name)
}

fn language(dir: &Path) -> Result<Build> {
    let known = LANGUAGES.iter().find(|(marker, _)| dir.join(marker).is_file());
    known.map(|(_, build)| *build).ok_or_else(|| {
        let markers: Vec<_> = LANGUAGES.iter().map(|(marker, _)| *marker).collect();
        anyhow!("{} holds none of {}: it is no plugin's folder", dir.display(), markers.join(", "))
    })
}

/// Runs one of a language's own programs, its output on stderr. `advice` says how the program is had and what it needs.
pub(super) fn run(command: &mut Command, advice: &str) -> Result<()> {
    shown(command);
    let status = command.stdout(Stdio::from(std::io::stderr())).status();
    ended(command, status, advice)
}

/// The same, for a program whose standard output is the answer.
pub(super) fn output(command: &mut Command, advice: &str) -> Result<String> {
    let out = command.stderr(Stdio::inherit()).output();
    let (status, stdout) = match out {
        Ok(out) => (Ok(out.status), out.stdout),
        Err(error) => (Err(error), Vec::new()),
    };
    ended(command, status, advice)?;
    String::from_utf8(stdout).with_context(|| format!("{} did not answer in UTF-8", words(command)))
}

fn ended(command: &Command, status: std::io::Result<ExitStatus>, advice: &str) -> Result<()> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("{} ended with {status}, its own words are above; {advice}", words(command)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{} is not there; {advice}", command.get_program().display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot start {}", words(command))),
    }
}

fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Says which step comes; dimly, since the step's own output is what matters.
fn shown(command: &Command) {
    let mut stderr = std::io::stderr();
    // Where stderr is gone, nobody has to know.
    let _ = match stderr.is_terminal() {
        true => writeln!(stderr, "\x1b[2m$ {}\x1b[0m", words(command)),
        false => writeln!(stderr, "$ {}", words(command)),
    };
}

/// A component out of a core module that `wit-bindgen` has put a world's type into; for one that was compiled against
/// WASI's first preview, with the adapter of a library that is started once and then called.
pub(super) fn component(module: &[u8], adapter: bool) -> Result<Vec<u8>> {
    use wasi_preview1_component_adapter_provider::{
        WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as ADAPTER,
    };
    let mut encoder = wit_component::ComponentEncoder::default();
    encoder.validate(true).module(module)?;
    if adapter {
        encoder.adapter(NAME, ADAPTER)?;
    }
    encoder.encode().context("the module does not make a component")
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
