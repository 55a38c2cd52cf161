//! The contract's promise: what was built against the recorded text of this major version works with today's.
//!
//! `core/plugin-host/tests/versions/0.1` holds that text, components of it, and in `record.toml` when and why the text was
//! recorded anew. That is allowed with a stated reason, until the tag `wit-0.1.0` is set; from then on never.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use wit_parser::{Resolve, WorldId};

const PACKAGES: [&str; 6] = ["types", "host", "storage", "network", "registry-auth", "lifecycle"];
const VERSION: &str = "0.1.0";
/// What the recorded text is called while both are looked at; the check itself goes by structure.
const RECORDED: &str = "0.1.0-recorded";
const TAG: &str = "wit-0.1.0";
const RECORD: &str = "core/plugin-host/tests/versions/0.1/record.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    moved: Vec<Moved>,
}

/// One recording.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Moved {
    on: String,
    digest: String,
    why: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn recorded_wit() -> PathBuf {
    root().join("core/plugin-host/tests/versions/0.1/wit")
}

/// The files of a package's text, sorted.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(dir).with_context(|| dir.display().to_string())?;
    let mut found = read.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    found.sort();
    Ok(found)
}

/// Adds the contract of a folder, its packages being of `version`.
fn push(resolve: &mut Resolve, wit: &Path, version: &str, change: impl Fn(&str, String) -> String) -> Result<()> {
    for package in PACKAGES {
        let mut text = String::new();
        for file in files(&wit.join(package))? {
            let part = fs::read_to_string(&file)?;
            // One text for a package: the line that names it is said once.
            let line = format!("package davit:{package}@{VERSION};");
            text.push_str(&part.replace(&line, ""));
        }
        let text = change(package, format!("package davit:{package}@{VERSION};\n{text}"));
        let text = text.replace(&format!("@{VERSION}"), &format!("@{version}"));
        resolve.push_source(&format!("{package}.wit"), &text).with_context(|| package.to_owned())?;
    }
    Ok(())
}

/// Worlds of a version by name.
fn worlds(resolve: &Resolve, version: &str) -> Vec<(String, WorldId)> {
    let of = |id: WorldId| {
        let package = resolve.worlds.get(id)?.package?;
        resolve.packages.get(package)?.name.version.as_ref().map(ToString::to_string)
    };
    let all = resolve.worlds.iter().map(|(id, world)| (world.name.clone(), id));
    all.filter(|(_, id)| of(*id).as_deref() == Some(version)).collect()
}

/// What of the recorded contract does not fit today's text; `change` is made to today's.
fn breaks(change: impl Fn(&str, String) -> String) -> Result<Vec<String>> {
    let mut resolve = Resolve::default();
    push(&mut resolve, &recorded_wit(), RECORDED, |_, text| text)?;
    push(&mut resolve, &root().join("wit"), VERSION, change)?;
    let today = worlds(&resolve, VERSION);
    let mut broken = Vec::new();
    for (name, recorded) in worlds(&resolve, RECORDED) {
        match today.iter().find(|(n, _)| *n == name) {
            None => broken.push(format!("world {name} is gone")),
            Some((_, id)) => {
                if let Err(e) = wit_component::semver_check(resolve.clone(), recorded, *id) {
                    broken.push(format!("world {name}: {e:#}"));
                }
            }
        }
    }
    Ok(broken)
}

#[test]
fn plugins_of_the_recorded_contract_fit_todays() -> Result<()> {
    let broken = breaks(|_, text| text)?;
    ensure!(
        broken.is_empty(),
        "wit/ breaks plugins that exist: {broken:#?}\nwish for it in wit/PENDING.md; or, before the tag {TAG}, record the \
         text anew in {RECORD} with a reason"
    );
    Ok(())
}

#[test]
fn what_would_break_a_plugin_is_seen() -> Result<()> {
    let in_package = |of: &'static str, from: &'static str, to: &'static str| {
        move |package: &str, text: String| {
            let changed = if package == of { text.replacen(from, to, 1) } else { text.clone() };
            assert!(package != of || changed != text, "{from} is not in {of}");
            changed
        }
    };
    let gone = "    free-bytes: func() -> u64;\n";
    for (what, change) in [
        (
            "a field more",
            in_package("types", "    retry-ms: u64,", "    /// More.\n    more: u32,\n    retry-ms: u64,"),
        ),
        (
            "a case more",
            in_package("types", "    other(string),", "    other(string),\n    /// More.\n    more(string),"),
        ),
        ("a method less", in_package("storage", gone, "")),
        ("another type", in_package("lifecycle", "time-ms: func() -> u64;", "time-ms: func() -> s64;")),
        ("a world less", in_package("network", "world network-released {", "world network-gone {")),
        ("an import less", in_package("storage", "  import davit:host/state@0.1.0;\n", "")),
    ] {
        ensure!(!breaks(change)?.is_empty(), "{what} is not seen");
    }
    let more = "    /// More.\n    more: func() -> u64;\n    free-bytes: func() -> u64;\n";
    let broken = breaks(in_package("storage", gone, more))?;
    ensure!(broken.is_empty(), "a method more breaks nobody, and is taken for it: {broken:?}");
    Ok(())
}

/// Of the recorded texts, names and contents.
fn digest() -> Result<String> {
    let mut hasher = Sha256::new();
    for package in PACKAGES {
        for file in files(&recorded_wit().join(package))? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            hasher.update(format!("{package}/{name}\n"));
            hasher.update(fs::read(&file)?);
        }
    }
    Ok(format!("sha256:{}", hasher.finalize().iter().map(|b| format!("{b:02x}")).collect::<String>()))
}

#[test]
fn the_record_moves_with_a_reason_alone() -> Result<()> {
    let record: Record = toml::from_str(&fs::read_to_string(root().join(RECORD))?)?;
    let last = record.moved.last().context("nothing is recorded")?;
    let now = digest()?;
    ensure!(
        last.digest == now,
        "the recorded text is {now}, and the last entry of {RECORD} is about {}; say there why it moved",
        last.digest
    );
    ensure!(record.moved.iter().all(|m| m.why.len() > 20 && m.on.len() == 10), "an entry has no reason or no day");
    let digests: BTreeSet<&str> = record.moved.iter().map(|m| m.digest.as_str()).collect();
    ensure!(digests.len() == record.moved.len(), "two entries are about one text");
    Ok(())
}

#[test]
fn the_record_does_not_move_after_its_tag() -> Result<()> {
    let git = |words: &[&str]| Command::new("git").arg("-C").arg(root()).args(words).output();
    let tagged = git(&["tag", "--list", TAG]);
    let tagged = tagged.is_ok_and(|output| output.status.success() && !output.stdout.is_empty());
    if !tagged {
        println!(
            "{TAG} is not set in what this was built from (or git is not here): the record may move with a reason"
        );
        return Ok(());
    }
    let then = git(&["show", &format!("{TAG}:{RECORD}")])?;
    ensure!(then.status.success(), "{TAG} has no {RECORD}");
    ensure!(then.stdout == fs::read(root().join(RECORD))?, "{RECORD} moved after {TAG}: the contract is promised");
    Ok(())
}
