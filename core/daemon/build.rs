//! Embeds what `davit plugin new` writes: the templates of every language, a call of each kind to try a plugin with, the
//! SDK for Rust, and the contract. Sources only: what a build leaves behind in those folders does not get in.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Folders that builds leave behind.
const LEFTOVERS: &[&str] = &["target", "node_modules", "__pycache__", "build", "dist", "gen"];
/// Endings of files that builds leave behind.
const MADE: &[&str] = &["wasm", "pyc", "log", "lock"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = fs::canonicalize(Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../.."))?;
    let mut files = vec![root.join("Cargo.toml"), root.join("plugin-sdk/rust/Cargo.toml")];
    let mut folders = vec![root.join("wit"), root.join("plugin-sdk/rust/src"), root.join("plugin-sdk/calls")];
    for language in fs::read_dir(root.join("plugin-sdk"))? {
        folders.push(language?.path().join("templates"));
    }
    folders.retain(|folder| folder.is_dir());
    for path in folders.iter().chain(&files) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    for folder in &folders {
        collect(folder, &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let path = file.strip_prefix(&root)?.to_str().ok_or("a file's name is not UTF-8")?;
        writeln!(list, "    ({path:?}, include_bytes!({file:?})),")?;
    }
    list.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("sources.rs"), list)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let made = path.extension().is_some_and(|end| MADE.iter().any(|made| end == *made));
        if name.starts_with('.') || LEFTOVERS.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else if !made {
            files.push(path);
        }
    }
    Ok(())
}
