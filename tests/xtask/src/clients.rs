//! Docker's own clients, for the tests that drive Davit with them: where the machine has none, Debian's packages are
//! unpacked into the target folder, never installed, since installing them would bring a daemon.

use crate::{command, workspace};
use anyhow::{Context as _, Result};
use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The command-line client.
const CLI: &[&str] = &["docker.io"];
/// docker-py with what it imports.
const PYTHON: &[&str] = &[
    "python3-docker",
    "python3-requests",
    "python3-urllib3",
    "python3-certifi",
    "python3-charset-normalizer",
    "python3-chardet",
    "python3-idna",
    "python3-websocket",
    "python3-six",
    "python3-packaging",
];

/// Lets `command` find both clients. What cannot be had is said, and the tests that want it say that they skip.
pub(crate) fn provide(command: &mut Command) -> Result<()> {
    let place = workspace::target_dir()?.join("clients");
    if !succeeds(Command::new("docker").arg("--version")) && unpacked(&place, "cli", CLI) {
        let path = env::var_os("PATH").unwrap_or_default();
        command.env("PATH", joined(&place.join("cli/usr/bin"), &path)?);
    }
    if !succeeds(Command::new("python3").args(["-c", "import docker"])) && unpacked(&place, "python", PYTHON) {
        let path = env::var_os("PYTHONPATH").unwrap_or_default();
        command.env("PYTHONPATH", joined(&place.join("python/usr/lib/python3/dist-packages"), &path)?);
    }
    Ok(())
}

fn joined(first: &Path, rest: &OsString) -> Result<OsString> {
    let rest = env::split_paths(rest).filter(|p| !p.as_os_str().is_empty());
    env::join_paths([first.to_owned()].into_iter().chain(rest)).context("a folder's name holds a colon")
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

fn unpacked(place: &Path, name: &str, packages: &[&str]) -> bool {
    let into = place.join(name);
    if into.exists() {
        return true;
    }
    match unpack(&into, packages) {
        Ok(()) => true,
        Err(error) => {
            command::step(&format!("no {}: {error:#}; tests that want it skip", packages.join(" ")));
            false
        }
    }
}

fn unpack(into: &Path, packages: &[&str]) -> Result<()> {
    command::step(&format!("unpacking {} into {}", packages.join(" "), into.display()));
    let beside = into.with_extension("new");
    if beside.exists() {
        fs::remove_dir_all(&beside)?;
    }
    fs::create_dir_all(&beside).with_context(|| format!("cannot make the folder {}", beside.display()))?;
    let mut fetch = Command::new("apt-get");
    fetch.args(["-o", "APT::Sandbox::User=root", "-qq", "download"]).args(packages).current_dir(&beside);
    command::run(&mut fetch, "a package mirror that answers is needed")?;
    let archives: Vec<PathBuf> = fs::read_dir(&beside)?.flatten().map(|e| e.path()).collect();
    for archive in archives {
        command::run(Command::new("dpkg").arg("-x").arg(&archive).arg(&beside), "dpkg could not unpack a package")?;
        fs::remove_file(&archive)?;
    }
    fs::rename(&beside, into).with_context(|| format!("cannot rename to {}", into.display()))
}
