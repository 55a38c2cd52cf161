//! JavaScript: npm installs the versions of the lock file, and the script `build` of `package.json` makes
//! `build/plugin.wasm`. What is installed in a folder further up is found, as node and npm find it.

use super::{Project, read, run};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::{fs, path::Path, process::Command};

const LOCK: &str = "package-lock.json";
/// What npm writes last.
const INSTALLED: &str = "node_modules/.package-lock.json";
const NPM: &str = "it wants Node.js 18.19 or newer with npm (Debian: apt install nodejs npm), and npm's registry";

pub(super) fn build(project: &Project) -> Result<Vec<u8>> {
    let dir = &project.dir;
    if !installed(dir)? {
        run(npm(dir).args(["ci", "--no-audit", "--no-fund"]), NPM)?;
    }
    run(npm(dir).args(["run", "build"]), NPM)?;
    read(&dir.join("build/plugin.wasm"))
}

fn npm(dir: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(dir);
    npm
}

/// Whether the folder's own packages are those of its lock file; where it has none of its own, whether the packages that
/// it asks for are there further up, in the versions of the lock file.
fn installed(dir: &Path) -> Result<bool> {
    let time = |path: &str| fs::metadata(dir.join(path)).and_then(|metadata| metadata.modified());
    if dir.join("node_modules").exists() {
        return Ok(matches!((time(INSTALLED), time(LOCK)), (Ok(installed), Ok(lock)) if installed >= lock));
    }
    let lock = json(&dir.join(LOCK))?;
    let asked = ["dependencies", "devDependencies"].into_iter();
    let mut asked = asked.filter_map(|kind| lock["packages"][""][kind].as_object()).flat_map(|names| names.keys());
    Ok(asked.all(|name| {
        let locked = &lock["packages"][format!("node_modules/{name}")]["version"];
        locked.is_string() && above(dir, name).is_some_and(|there| there["version"] == *locked)
    }))
}

/// The nearest package of that name, by its own description.
fn above(dir: &Path, name: &str) -> Option<Value> {
    let mut places = dir.ancestors().map(|folder| folder.join("node_modules").join(name).join("package.json"));
    json(&places.find(|place| place.is_file())?).ok()
}

fn json(path: &Path) -> Result<Value> {
    serde_json::from_slice(&read(path)?).with_context(|| format!("{} is not JSON", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKED: &str = r#"{"packages": {"": {"devDependencies": {"@a/tool": "1.2.3"}},
        "node_modules/@a/tool": {"version": "1.2.3"}}}"#;

    fn project(outer: &Path) -> std::path::PathBuf {
        let dir = outer.join("plugin");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join(LOCK), LOCKED).unwrap();
        dir
    }

    fn install(outer: &Path, version: &str) {
        let package = outer.join("node_modules/@a/tool");
        fs::create_dir_all(&package).unwrap();
        fs::write(package.join("package.json"), format!(r#"{{"version": "{version}"}}"#)).unwrap();
    }

    #[test]
    fn packages_further_up_serve_in_the_locked_version_only() {
        let outer = tempfile::tempdir().unwrap();
        let dir = project(outer.path());
        assert!(!installed(&dir).unwrap());
        install(outer.path(), "1.2.4");
        assert!(!installed(&dir).unwrap());
        install(outer.path(), "1.2.3");
        assert!(installed(&dir).unwrap());
    }

    #[test]
    fn own_packages_serve_unless_half_installed_or_older_than_the_lock_file() {
        let outer = tempfile::tempdir().unwrap();
        let dir = project(outer.path());
        install(outer.path(), "1.2.3");
        fs::create_dir(dir.join("node_modules")).unwrap();
        assert!(!installed(&dir).unwrap());
        fs::write(dir.join(INSTALLED), "{}").unwrap();
        assert!(installed(&dir).unwrap());
        let lock = fs::File::options().write(true).open(dir.join(LOCK)).unwrap();
        lock.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(60)).unwrap();
        assert!(!installed(&dir).unwrap());
    }
}
