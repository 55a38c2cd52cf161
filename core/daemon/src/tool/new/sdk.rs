//! The SDK for Rust as a crate that stands alone. Within the repository its `Cargo.toml` takes values of the workspace,
//! which are written out here.

use super::beneath;
use anyhow::{Context as _, Result, anyhow};
use toml::{Table, Value};

/// The SDK's files by their path in its folder.
pub(super) fn files() -> Result<Vec<(&'static str, Vec<u8>)>> {
    let manifest = alone(text("plugin-sdk/rust/", "Cargo.toml")?, text("", "Cargo.toml")?)?;
    let sources = beneath("plugin-sdk/rust/").filter(|(path, _)| path.starts_with("src/"));
    let mut files: Vec<_> = sources.map(|(path, content)| (path, content.to_vec())).collect();
    files.push(("Cargo.toml", manifest.into_bytes()));
    Ok(files)
}

fn text(folder: &str, name: &str) -> Result<&'static str> {
    let found = beneath(folder).find(|(path, _)| *path == name);
    let (_, content) = found.ok_or_else(|| anyhow!("this davit has no {folder}{name}"))?;
    std::str::from_utf8(content).with_context(|| format!("{folder}{name}"))
}

/// A member's manifest without its workspace. Its tests stay behind, and with them what only they depend on; the lints
/// are the repository's own.
fn alone(member: &str, workspace: &str) -> Result<String> {
    let mut member: Table = member.parse().context("the SDK's Cargo.toml")?;
    let workspace: Table = workspace.parse().context("the workspace's Cargo.toml")?;
    let of = |key: &str| workspace.get("workspace").and_then(|it| it.get(key)).and_then(Value::as_table);
    member.remove("lints");
    member.remove("dev-dependencies");
    inherit(&mut member, "package", of("package"))?;
    inherit(&mut member, "dependencies", of("dependencies"))?;
    if let Some(targets) = member.get_mut("target").and_then(Value::as_table_mut) {
        for target in targets.iter_mut().filter_map(|(_, target)| target.as_table_mut()) {
            inherit(target, "dependencies", of("dependencies"))?;
        }
    }
    Ok(toml::to_string(&member)?)
}

/// Writes out what a section's values take of the workspace.
fn inherit(manifest: &mut Table, section: &str, workspace: Option<&Table>) -> Result<()> {
    let Some(values) = manifest.get_mut(section).and_then(Value::as_table_mut) else { return Ok(()) };
    for (key, value) in values.iter_mut() {
        if value.get("workspace").and_then(Value::as_bool) != Some(true) {
            continue;
        }
        let inherited = workspace.and_then(|it| it.get(key));
        let inherited = inherited.with_context(|| format!("the workspace has no {key} in {section}"))?;
        *value = inherited.clone();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_workspace_says_is_written_out() {
        let workspace = "[workspace.package]\nedition = \"2024\"\n[workspace.dependencies]\n\
                         a = { version = \"1\", features = [\"x\"] }\nb = \"2\"\n";
        let member = "[package]\nname = \"n\"\nedition.workspace = true\n[lints]\nworkspace = true\n\
                      [dependencies]\na.workspace = true\nc = \"3\"\n[dev-dependencies]\nd = \"4\"\n\
                      [target.'cfg(unix)'.dependencies]\nb.workspace = true\n";
        let alone: Table = alone(member, workspace).unwrap().parse().unwrap();
        let wanted: Table = "[package]\nname = \"n\"\nedition = \"2024\"\n\
                             [dependencies]\na = { version = \"1\", features = [\"x\"] }\nc = \"3\"\n\
                             [target.'cfg(unix)'.dependencies]\nb = \"2\"\n"
            .parse()
            .unwrap();
        assert_eq!(alone, wanted);
    }

    #[test]
    fn the_sdk_stands_alone() {
        let files = files().unwrap();
        let manifest = files.iter().find(|(path, _)| *path == "Cargo.toml").unwrap();
        let manifest = std::str::from_utf8(&manifest.1).unwrap();
        assert!(manifest.contains("wit-bindgen") && !manifest.contains("workspace"), "{manifest}");
        assert!(files.iter().any(|(path, _)| *path == "src/lib.rs"));
    }
}
