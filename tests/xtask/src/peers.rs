//! Today's other engines, for measuring against: a root of Debian's newest suite with docker, podman, crun and runc,
//! kept in the target folder. Nothing of it is installed on the machine.

mod engines;
mod room;

pub(crate) use engines::Engines;
pub(crate) use room::Room;

use crate::{command, workspace};
use anyhow::{Context as _, Result};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The suite that moves with the projects themselves.
const SUITE: &str = "sid";
const PACKAGES: &[&str] = &[
    "docker.io",
    "docker-cli",
    "containerd",
    "runc",
    "podman",
    "crun",
    "netavark",
    "aardvark-dns",
    "passt",
    "nftables",
    "iptables",
    "iproute2",
    "uidmap",
];

/// The root with all of them; made where it is not there yet (1.3 GB, a minute or two).
pub(crate) fn root() -> Result<PathBuf> {
    let place = workspace::target_dir()?.join("peers");
    let root = place.join(SUITE);
    let ready = place.join("ready");
    if ready.exists() {
        return Ok(root);
    }
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    fs::create_dir_all(&place).with_context(|| format!("cannot make the folder {}", place.display()))?;
    command::step(&format!("making a root of Debian {SUITE} with the peers (1.3 GB in {}, once)", root.display()));
    let mut bootstrap = Command::new("debootstrap");
    bootstrap.args(["--variant=minbase", SUITE]).arg(&root).arg(mirror()?).stdout(Stdio::null());
    command::run(&mut bootstrap, "a package mirror that answers and has this suite is needed")?;
    // Services are for us to start.
    let policy = root.join("usr/sbin/policy-rc.d");
    fs::write(&policy, "#!/bin/sh\nexit 101\n")?;
    fs::set_permissions(&policy, fs::Permissions::from_mode(0o755))?;
    let mut install = within(&root, "apt-get");
    install
        .args(["-o", "Acquire::Check-Valid-Until=false", "-qq", "install", "-y", "--no-install-recommends"])
        .args(PACKAGES)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null());
    command::run(&mut install, "the peers could not be installed into their own root")?;
    command::run(within(&root, "apt-get").arg("clean"), "apt-get could not clean up")?;
    fs::write(ready, "").context("cannot write the marker of the peers' root")?;
    Ok(root)
}

/// A command in the root, with processes and mounts of its own that go with it.
fn within(root: &Path, program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child"]);
    command.arg(format!("--mount-proc={}", root.join("proc").display())).arg("chroot").arg(root).arg(program);
    command
}

/// The machine's own package mirror: the first of its sources that is not the security archive.
fn mirror() -> Result<String> {
    let mut texts = vec![fs::read_to_string("/etc/apt/sources.list").unwrap_or_default()];
    for entry in fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "sources" || e == "list") {
            texts.push(fs::read_to_string(path).unwrap_or_default());
        }
    }
    let words = texts.iter().flat_map(|text| text.lines()).filter(|line| {
        let line = line.trim_start();
        line.starts_with("URIs:") || line.starts_with("deb ")
    });
    let mut addresses = words.flat_map(str::split_whitespace).filter(|w| w.contains("://"));
    let mirror = addresses.find(|a| a.trim_end_matches('/').ends_with("/debian"));
    mirror.map(str::to_owned).context("no source of Debian packages in /etc/apt; the peers come from one")
}
