//! From `plugins/*` to components beside the binaries: compiled by cargo, wrapped by `wit-component`, the manifest
//! embedded as a custom section, so that it is inside the digest; then the grants that fit, and the default site file.
//! What did not change is not written again.

use crate::{command, toolchain, workspace};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The custom section that holds `plugin.toml`; the plugin host looks for it under this name.
const MANIFEST_SECTION: &str = "davit:plugin";

/// A crate that becomes a component.
#[derive(Debug)]
pub(crate) struct Source {
    /// The file's name without ending.
    pub(crate) name: String,
    /// The package's name in cargo.
    pub(crate) package: String,
    /// Its `plugin.toml`, where it has one.
    pub(crate) manifest: Option<PathBuf>,
}

/// Builds those of `plugins/*` that are named; all where none is.
pub(crate) fn run(only: &[String]) -> Result<()> {
    let root = workspace::root()?;
    let mut sources = sources(&root.join("plugins"))?;
    if let Some(unknown) = only.iter().find(|name| sources.iter().all(|source| source.name != **name)) {
        bail!("there is no plugin plugins/{unknown}");
    }
    sources.retain(|source| only.is_empty() || only.contains(&source.name));
    let into = workspace::components_dir()?;
    command::step(&format!("compiling {} plugins to components", sources.len()));
    let mut changed = 0;
    for (source, component) in compile(&sources)? {
        let digest = hex(&Sha256::digest(&component));
        changed += usize::from(workspace::write_if_changed(&into.join(format!("{}.wasm", source.name)), &component)?);
        let grant = grant(source, &digest)?;
        workspace::write_if_changed(&into.join(format!("{}.grant.toml", source.name)), grant.as_bytes())?;
    }
    let site = fs::read(root.join("plugins/site.toml")).context("cannot read plugins/site.toml")?;
    workspace::write_if_changed(&into.join("site.toml"), &site)?;
    command::step(&format!("{} plugins in {}, {changed} of them new", sources.len(), into.display()));
    Ok(())
}

/// The crates in a folder that have a `Cargo.toml`, by name.
pub(crate) fn sources(dir: &Path) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        let Ok(text) = fs::read_to_string(path.join("Cargo.toml")) else { continue };
        let table: toml::Table = text.parse().with_context(|| format!("{}/Cargo.toml", path.display()))?;
        let package = table.get("package").and_then(|p| p.get("name")).and_then(toml::Value::as_str);
        let package = package.with_context(|| format!("{}/Cargo.toml names no package", path.display()))?.to_owned();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let manifest = Some(path.join("plugin.toml")).filter(|m| m.exists());
        found.push(Source { name, package, manifest });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Compiles crates and answers each with its component, manifest embedded.
pub(crate) fn compile(sources: &[Source]) -> Result<Vec<(&Source, Vec<u8>)>> {
    let toolchain = toolchain::ensure()?;
    let target_dir = workspace::target_dir()?.join("plugins");
    let mut cargo = Command::new(workspace::cargo());
    cargo
        .args(["build", "--release", "--quiet", "--target", toolchain::TARGET, "--target-dir"])
        .arg(&target_dir)
        .current_dir(workspace::root()?)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
        .env("CARGO_PROFILE_RELEASE_LTO", "true")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_INCREMENTAL", "false")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Clink-arg=-zstack-size=131072")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    for source in sources {
        cargo.args(["--package", &source.package]);
    }
    toolchain.apply(&mut cargo);
    command::run(&mut cargo, "a plugin does not compile; the compiler's own words are above")?;
    let built = target_dir.join(toolchain::TARGET).join("release");
    sources.iter().map(|source| Ok((source, component(source, &built)?))).collect()
}

fn component(source: &Source, built: &Path) -> Result<Vec<u8>> {
    let core = built.join(format!("{}.wasm", source.package.replace('-', "_")));
    let module =
        fs::read(&core).with_context(|| format!("cannot read {}; is the crate's type \"cdylib\"?", core.display()))?;
    let mut component = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|encoder| encoder.encode())
        .with_context(|| format!("{} does not make a component", source.name))?;
    if let Some(path) = &source.manifest {
        let manifest = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        append_custom_section(&mut component, MANIFEST_SECTION, &manifest)?;
    }
    Ok(component)
}

/// Appends a custom section (WebAssembly core specification, "Custom Section"; the same in components).
fn append_custom_section(binary: &mut Vec<u8>, name: &str, content: &[u8]) -> Result<()> {
    let mut body = Vec::new();
    leb128(&mut body, name.len())?;
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    binary.push(0);
    leb128(binary, body.len())?;
    binary.extend_from_slice(&body);
    Ok(())
}

fn leb128(out: &mut Vec<u8>, value: usize) -> Result<()> {
    let mut value = u32::try_from(value).context("a section is too long")?;
    loop {
        let low = u8::try_from(value & 0x7f)?;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return Ok(());
        }
        out.push(low | 0x80);
    }
}

/// The grant that a shipped plugin comes with: exactly what its manifest needs by name, for exactly these bytes. What is
/// left to the site to name (`*`) the site's file grants.
fn grant(source: &Source, digest: &str) -> Result<String> {
    let Some(path) = &source.manifest else { bail!("plugins/{} has no plugin.toml", source.name) };
    let manifest: toml::Table =
        fs::read_to_string(path)?.parse().with_context(|| format!("{} is not TOML", path.display()))?;
    let mut grant = toml::Table::new();
    grant.insert("digest".to_owned(), toml::Value::String(format!("sha256:{digest}")));
    if let Some(toml::Value::Table(needs)) = manifest.get("needs") {
        grant.extend(needs.iter().filter_map(|(key, need)| Some((key.clone(), named(need)?))));
    }
    Ok(format!(
        "# Grant of the shipped plugin {}: what its manifest asks for, bound to its digest. Written by the build.\n{}",
        source.name,
        toml::to_string(&grant)?
    ))
}

/// A need without what is left to the site to name; none where nothing is left of it.
fn named(need: &toml::Value) -> Option<toml::Value> {
    let toml::Value::Array(items) = need else { return Some(need.clone()) };
    // `*`, `POST *`: which origin, the site says.
    let sites_own = |item: &&toml::Value| item.as_str().is_some_and(|text| text.split(' ').any(|word| word == "*"));
    let named: Vec<_> = items.iter().filter(|item| !sites_own(item)).cloned().collect();
    (!named.is_empty()).then_some(toml::Value::Array(named))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
