//! Python: componentize-py, in the version that `pyproject.toml` pins, puts the module `plugin` and an interpreter into a
//! component. One on the path serves where it is of that version; else it is installed into the folder's own `.venv`.

use super::{Project, read, run};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const TOOL: &str = "componentize-py";
const PYTHON: &str = "it wants Python 3.11 or newer with venv and pip (Debian: apt install python3-venv), and PyPI";
const PLUGIN: &str = "see README.md for how the plugin is built by hand";

pub(super) fn build(project: &Project) -> Result<Vec<u8>> {
    let dir = &project.dir;
    let tool = tool(dir, &pinned(dir)?)?;
    lay_out(dir)?;
    let component = dir.join("build/plugin.wasm");
    let mut componentize = Command::new(&tool);
    componentize.args(["--quiet", "-d", "build/wit", "-w", "plugin", "componentize", "plugin", "-o"]).arg(&component);
    // Packages that the plugin uses are those of its own environment, whichever componentize-py is run.
    let environment = dir.join(".venv");
    if environment.is_dir() {
        componentize.env("VIRTUAL_ENV", environment);
    }
    run(componentize.current_dir(dir), PLUGIN)?;
    read(&component)
}

/// The version that `pyproject.toml` wants for building.
fn pinned(dir: &Path) -> Result<String> {
    let path = dir.join("pyproject.toml");
    let text = String::from_utf8(read(&path)?).with_context(|| format!("{} is not UTF-8", path.display()))?;
    version(&text).with_context(|| {
        format!(
            "{} pins no version of it; write: [project.optional-dependencies] build = [\"{TOOL}==VERSION\"]",
            path.display()
        )
    })
}

fn version(pyproject: &str) -> Option<String> {
    let pyproject: toml::Table = pyproject.parse().ok()?;
    let wanted = pyproject.get("project")?.get("optional-dependencies")?.get("build")?.as_array()?;
    let mut wanted = wanted.iter().filter_map(|one| one.as_str()?.strip_prefix(TOOL)?.trim().strip_prefix("=="));
    wanted.next().map(|version| version.trim().to_owned())
}

fn tool(dir: &Path, version: &str) -> Result<PathBuf> {
    let own = dir.join(".venv/bin").join(TOOL);
    for tool in [PathBuf::from(TOOL), own.clone()] {
        if is_of_version(&tool, version) {
            return Ok(tool);
        }
    }
    let python = dir.join(".venv/bin/python");
    if !python.is_file() {
        run(Command::new("python3").args(["-m", "venv", ".venv"]).current_dir(dir), PYTHON)?;
    }
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(python).args(install).arg(format!("{TOOL}=={version}")).current_dir(dir), PYTHON)?;
    if !is_of_version(&own, version) {
        bail!("{} is not of version {version} after it was installed; remove .venv and try again", own.display());
    }
    Ok(own)
}

fn is_of_version(tool: &Path, version: &str) -> bool {
    let said = Command::new(tool).arg("--version").stderr(Stdio::null()).output();
    said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).split_whitespace().last() == Some(version))
}

/// The contract's packages as `deps` of the world's own, which is how the tools find them.
fn lay_out(dir: &Path) -> Result<()> {
    let layout = dir.join("build/wit");
    let failed = || format!("cannot lay out {}", layout.display());
    fs::create_dir_all(&layout).with_context(failed)?;
    fs::copy(dir.join("world.wit"), layout.join("world.wit")).with_context(failed)?;
    let deps = layout.join("deps");
    if fs::symlink_metadata(&deps).is_ok() {
        fs::remove_file(&deps).with_context(failed)?;
    }
    symlink("../../wit", &deps).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_extra_for_building() {
        let text = "[project]\nname = \"a\"\n[project.optional-dependencies]\nbuild = [\"other==1\", \"componentize-py == 0.25.1\"]\n";
        assert_eq!(version(text).as_deref(), Some("0.25.1"));
        for without in
            ["[project]\n", "[project.optional-dependencies]\nbuild = [\"componentize-py>=0.25\"]\n", "not toml"]
        {
            assert_eq!(version(without), None, "{without}");
        }
    }

    #[test]
    fn the_layout_is_made_again_as_often_as_wanted() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("wit/types")).unwrap();
        fs::write(dir.path().join("world.wit"), "package davit:plugin;").unwrap();
        lay_out(dir.path()).unwrap();
        lay_out(dir.path()).unwrap();
        assert!(dir.path().join("build/wit/deps/types").is_dir());
        assert!(dir.path().join("build/wit/world.wit").is_file());
    }
}
