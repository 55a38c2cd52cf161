//! `cargo xtask bindings`: the C and Go bindings in `plugin-sdk/`, made from `wit/` and each template's `world.wit`, so
//! that an author needs a compiler and no generator; and the contract as pages to read, in `plugin-sdk/reference`. They are
//! checked in; `--check` says which are not today's.
//!
//! It owns the `bindings` folders of those templates and the folder of pages, whole: what it did not make is taken away.

mod c;
mod go;
mod markdown;

use crate::{command, workspace};
use anyhow::{Context as _, Result, bail};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use wit_bindgen_core::{
    Files, WorldGenerator,
    wit_parser::{Resolve, WorldId},
};

/// The kinds of plugins; each has a folder in `wit/` and in a language's templates.
const KINDS: &[&str] = &["lifecycle", "network", "registry-auth", "storage"];

/// The packages of `wit/` that every kind stands on.
const BENEATH: &[&str] = &["types", "host"];

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write nothing, and fail where the tree is not what would be written
    #[arg(long)]
    check: bool,
}

/// Generated files, by their path in the repository.
type Made = BTreeMap<PathBuf, Vec<u8>>;

pub(crate) fn run(options: &Options) -> Result<()> {
    let root = workspace::root()?;
    let mut made = Made::new();
    c::make(&root, &mut made)?;
    go::make(&root, &mut made)?;
    markdown::make(&root, &mut made)?;
    let stale = stale(&root, &made)?;
    if options.check {
        match stale.first() {
            None => return Ok(()),
            Some(one) => bail!(
                "{} and {} more are not the bindings of today's wit/; run: cargo xtask bindings",
                one.display(),
                stale.len() - 1
            ),
        }
    }
    for path in &stale {
        match made.get(path) {
            Some(bytes) => {
                workspace::write_if_changed(&root.join(path), bytes)?;
            }
            None => fs::remove_file(root.join(path)).with_context(|| format!("cannot remove {}", path.display()))?,
        }
    }
    command::step(&format!("{} files of bindings, {} of them new or gone", made.len(), stale.len()));
    Ok(())
}

/// A world of a template: the kind's packages, and the world's own file.
fn world(root: &Path, kind: &str, file: &Path) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    for package in BENEATH.iter().chain([&kind]) {
        let dir = root.join("wit").join(package);
        resolve.push_dir(&dir).with_context(|| format!("{} does not parse", dir.display()))?;
    }
    let package = resolve.push_file(file).with_context(|| format!("{} does not parse", file.display()))?;
    let world = resolve.select_world(&[package], None)?;
    Ok((resolve, world))
}

/// What a generator makes of a world.
fn generated(
    mut generator: Box<dyn WorldGenerator>,
    mut resolve: Resolve,
    world: WorldId,
) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = Files::default();
    generator.generate(&mut resolve, world, &mut files)?;
    Ok(files.iter().map(|(name, bytes)| (PathBuf::from(name), bytes.to_vec())).collect())
}

/// Files that are missing, that differ, or that stand among the bindings and were not made.
fn stale(root: &Path, made: &Made) -> Result<Vec<PathBuf>> {
    let differs = |(path, bytes): &(&PathBuf, &Vec<u8>)| fs::read(root.join(path)).ok().as_ref() != Some(*bytes);
    let mut stale: Vec<PathBuf> = made.iter().filter(differs).map(|(path, _)| path.clone()).collect();
    for folder in [c::FOLDER, go::FOLDER] {
        for template in fs::read_dir(root.join(folder)).with_context(|| format!("cannot read {folder}"))? {
            strangers(root, &template?.path().join("bindings"), made, &mut stale)?;
        }
    }
    strangers(root, &root.join(markdown::FOLDER), made, &mut stale)?;
    Ok(stale)
}

fn strangers(root: &Path, dir: &Path, made: &Made, found: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            strangers(root, &path, made, found)?;
        } else if let Ok(inside) = path.strip_prefix(root)
            && !made.contains_key(inside)
        {
            found.push(inside.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_differs_is_missing_or_was_not_made_is_stale() {
        let dir = tempfile::tempdir().unwrap();
        let bindings = Path::new(c::FOLDER).join("network/bindings");
        fs::create_dir_all(dir.path().join(&bindings)).unwrap();
        fs::create_dir_all(dir.path().join(go::FOLDER)).unwrap();
        for (name, text) in [("same.c", "1"), ("differs.c", "1"), ("stranger.c", "1")] {
            fs::write(dir.path().join(&bindings).join(name), text).unwrap();
        }
        let made: Made = [("same.c", "1"), ("differs.c", "2"), ("missing.c", "1")]
            .map(|(name, text)| (bindings.join(name), text.as_bytes().to_vec()))
            .into();
        let found = stale(dir.path(), &made).unwrap();
        assert_eq!(found, ["differs.c", "missing.c", "stranger.c"].map(|name| bindings.join(name)));
    }
}
