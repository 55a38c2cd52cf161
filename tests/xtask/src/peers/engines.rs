//! The daemons that docker wants, and how each peer is called. They end by their process ids.

use super::{Room, room::SHARED};
use anyhow::{Context as _, Result, bail};
use davit_fixtures::process::{Running, until};
use std::{fs, path::Path, time::Duration};

/// Pulls in nothing that a container of ours does not use.
const CONTAINERD: &str = r#"version = 3
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri"]
"#;

const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";

/// Running peers. Dropped: dockerd first, containerd after it.
#[derive(Debug)]
pub(crate) struct Engines {
    _dockerd: Running,
    _containerd: Running,
}

impl Engines {
    /// Starts them with all their files in `shared`.
    pub(crate) fn start(room: &Room, shared: &Path) -> Result<Self> {
        fs::write(shared.join("containerd.toml"), CONTAINERD)?;
        let containerd = daemon(
            room,
            "containerd",
            &["--config", "/bench/containerd.toml", "--root", "/bench/containerd", "--state", "/run/containerd"],
        )?;
        let dockerd = daemon(
            room,
            "dockerd",
            &[
                "--containerd",
                CONTAINERD_SOCKET,
                "--data-root",
                "/bench/docker",
                "--exec-root",
                "/run/docker",
                "--pidfile",
                "/run/dockerd.pid",
                "--bip",
                "10.201.0.1/24",
            ],
        )?;
        let mut engines = Self { _dockerd: dockerd, _containerd: containerd };
        until(Duration::from_secs(60), "dockerd answers", || {
            if !engines._dockerd.alive() {
                bail!("dockerd ended: {}", fs::read_to_string(shared.join("dockerd.log")).unwrap_or_default());
            }
            let answer = room.within(|| Ok(Room::command(&["docker", "version"]).output()?.status.success()))?;
            Ok(answer.then_some(()))
        })?;
        Ok(engines)
    }
}

fn daemon(room: &Room, program: &'static str, words: &'static [&'static str]) -> Result<Running> {
    room.within(move || {
        let log = Path::new(SHARED).join(format!("{program}.log"));
        let all: Vec<&str> = [program].iter().chain(words).copied().collect();
        Running::start(&mut Room::command(&all), &log).with_context(|| format!("{program} of the peers"))
    })
}
