//! How long a container takes to start: by each engine over its command line, and by each runtime from a bundle.

use super::{bundle, contestant::Contestant, row};
use crate::{
    command,
    peers::{Engines, Room},
};
use anyhow::{Context as _, Result, ensure};
use davit_fixtures::{
    daemon::{self, Daemon},
    image::{self, Config},
    process::run as quietly,
    registry::Registry,
};
use row::Row;
use std::{path::Path, process::Command, time::Duration};

/// What the bundle's commands are.
pub(super) const APPLETS: [&str; 2] = ["true", "sh"];
/// The image's name among the peers.
const IMAGE: &str = "bench.example/busybox:1";
/// Options of podman's that keep its files in the bench's folder.
const PODMAN: [&str; 9] = [
    "podman",
    "--root",
    "/bench/podman",
    "--runroot",
    "/run/podman",
    "--cgroup-manager",
    "cgroupfs",
    "--events-backend",
    "file",
];

/// One thing that everybody does: the words, and what tidies up after it, untimed.
struct Measure {
    name: &'static str,
    words: &'static [&'static str],
    after: &'static [&'static [&'static str]],
    goal: Option<f64>,
}

const ENGINES: [Measure; 3] = [
    Measure { name: "run, default network", words: &["run", "--rm", "IMAGE", "true"], after: &[], goal: Some(0.1) },
    Measure {
        name: "run, network none",
        words: &["run", "--rm", "--network", "none", "IMAGE", "true"],
        after: &[],
        goal: None,
    },
    Measure {
        name: "run -d",
        words: &["run", "-d", "--name", "bench", "IMAGE", "sleep", "1000"],
        after: &[&["kill", "bench"], &["rm", "-f", "bench"]],
        goal: None,
    },
];

pub(super) fn run(root: &Path, runs: u32, json: Option<&Path>) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("bench-").tempdir()?;
    let shared = dir.path().join("shared");
    std::fs::create_dir_all(&shared)?;
    command::step("starting the peers in their own root");
    let room = Room::enter(root, &shared)?;
    let engines = Engines::start(&room, &shared)?;
    let image = image::make(&dir.path().join("image"), &Config::shell())?;
    let archive = format!("docker-archive:{}:{IMAGE}", shared.join("image.tar").display());
    let layout = format!("oci:{}:latest", image.layout.display());
    quietly(Command::new("skopeo").args(["copy", "--quiet", "--insecure-policy", &layout, &archive]))?;
    for engine in [&["docker"][..], &PODMAN] {
        said(&room, &[engine, &["load", "-i", "/bench/image.tar"]].concat())?;
    }
    bundle::make(&room, &shared)?;

    command::step("starting davitd");
    let registry = Registry::start(dir.path(), None)?;
    let reference = format!("{}/bench/busybox:1", registry.host);
    image.push(&reference, None)?;
    let daemon = Daemon::start()?;
    quietly(daemon.davit().args(["pull", "-q", &reference]))?;

    let errors = dir.path().join("errors");
    let programs = daemon::programs();
    let ours = |program: &str, words: &[&str], host: Option<String>| Contestant {
        name: program.to_owned(),
        image: reference.clone(),
        room: None,
        words: [programs.join(program).display().to_string()]
            .into_iter()
            .chain(words.iter().map(|w| (*w).to_owned()))
            .collect(),
        environment: host.map(|host| ("DAVIT_HOST".to_owned(), host)).into_iter().collect(),
        errors: errors.clone(),
    };
    let peer = |name: String, words: &[&str]| Contestant {
        name,
        image: IMAGE.to_owned(),
        room: Some(&room),
        words: words.iter().map(|w| (*w).to_owned()).collect(),
        environment: Vec::new(),
        errors: "/bench/errors".into(),
    };
    let docker = version(&room, "docker", &["docker", "version", "--format", "{{.Server.Version}}"])?;
    let field = [
        ours("davit", &[], Some(daemon.host())),
        peer(docker, &["docker"]),
        peer(version(&room, "podman", &["podman", "--version"])?, &PODMAN),
    ];
    let bundle_here = shared.join("bundle").display().to_string();
    let runtimes = [
        ours(
            "davit-runtime",
            &["--root", &dir.path().join("runtime").display().to_string(), "run", "-b", &bundle_here],
            None,
        ),
        peer(version(&room, "crun", &["crun", "--version"])?, &["crun", "run", "-b", "/bench/bundle"]),
        peer(version(&room, "runc", &["runc", "--version"])?, &["runc", "run", "-b", "/bench/bundle"]),
    ];
    command::step(&format!("measuring {runs} rounds, everybody in turn, after one that does not count"));
    let all: Vec<&str> = field.iter().chain(&runtimes).map(|c| c.name.as_str()).collect();
    println!("against {}, with {}", all.join(", "), version(&room, "containerd", &["containerd", "--version"])?);
    let mut rows = Vec::new();
    for measure in &ENGINES {
        rows.extend(compare(measure, &field, runs, |_| measure.goal)?);
    }
    let bundle = Measure { name: "bundle", words: &["bench"], after: &[], goal: Some(1.0) };
    rows.extend(compare(&bundle, &runtimes, runs.saturating_mul(5), |peer| {
        bundle.goal.filter(|_| peer.name.starts_with("crun"))
    })?);
    row::print(&rows);
    if let Some(path) = json {
        row::write(&rows, path)?;
        println!("rows are in {}", path.display());
    }
    daemon.finish()?;
    drop(engines);
    Ok(())
}

/// Everybody in turn, so that what else happens on the machine happens to all.
fn compare(
    measure: &Measure,
    field: &[Contestant<'_>],
    runs: u32,
    goal: impl Fn(&Contestant<'_>) -> Option<f64>,
) -> Result<Vec<Row>> {
    let mut taken: Vec<Vec<Duration>> = field.iter().map(|_| Vec::new()).collect();
    for round in 0..=runs {
        for (contestant, taken) in field.iter().zip(&mut taken) {
            let time = contestant.time(measure.words).with_context(|| measure.name.to_owned())?;
            for words in measure.after {
                contestant.time(words)?;
            }
            if round > 0 {
                taken.push(time);
            }
        }
    }
    let mut all = field.iter().zip(&taken);
    let (_, ours) = all.next().context("nobody to compare with")?;
    Ok(all.map(|(peer, theirs)| Row::new(measure.name, ours, &peer.name, theirs, goal(peer))).collect())
}

/// What a command in the peers' root says.
fn said(room: &Room, words: &[&str]) -> Result<String> {
    let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    room.within(move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = Room::command(&words).output().with_context(|| format!("cannot start {words:?}"))?;
        let err = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{words:?} ended with {}: {}", output.status, err.trim());
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    })
}

/// `NAME VERSION`, from the first line of what the program says of itself.
fn version(room: &Room, program: &str, words: &[&str]) -> Result<String> {
    let text = said(room, words)?;
    let mut words = text.lines().next().unwrap_or_default().split_whitespace();
    let number = words.find(|w| w.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()));
    // What follows a plus is the packager's.
    let upstream = number.and_then(|n| n.split('+').next()).unwrap_or("of unknown version");
    Ok(format!("{program} {upstream}"))
}
