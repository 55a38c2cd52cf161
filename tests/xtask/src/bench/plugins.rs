//! What a plugin's decision costs, in five languages, beside the same decision elsewhere: a function of this program, a
//! service over HTTP on a unix socket, and a CNI plugin that is a program of its own.
//!
//! The decision: may this image be pulled? It reads the operation and one list of its settings, which is what most policies do.
//! CNI plugins decide about addresses alone; `host-local`, which hands one out of a file, is their smallest.

use super::{
    peers_of_policy::{Cni, Http, native},
    row::{self, Row, median},
    table::{self, Beside, Figure, Line},
};
use crate::command;
use anyhow::{Context as _, Result, ensure};
use davit_fixtures::{
    daemon::{self, Daemon},
    image::{self, Config},
    process::run as quietly,
    registry::Registry,
};
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// A language, and the most that a call in a fresh instance should take: for the interpreted and garbage-collected ones
/// half as much again as the prototypes took (instantiation and smallest call together).
const LANGUAGES: [(&str, &str, Duration); 5] = [
    ("rust", "Rust", Duration::from_micros(50)),
    ("c", "C", Duration::from_micros(50)),
    ("go", "Go", Duration::from_micros(476)),
    ("js", "JavaScript", Duration::from_micros(843)),
    ("python", "Python", Duration::from_micros(1620)),
];
/// Over the socket to the host process, for the first two.
const APART: Duration = Duration::from_micros(150);
const LOAD: Duration = Duration::from_millis(5);
/// Compiling it, once: small components, and those that carry an interpreter.
const COMPILE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(60)];
const SMALL: u64 = 200 << 10;
/// What one more Rust plugin takes of memory.
const MEMORY_MIB: f64 = 3.0;
/// All that `davit run` spends in plugins.
const RUN: Duration = Duration::from_millis(1);

/// What `davit plugin bench --json` says.
#[derive(Debug, Deserialize)]
struct Figures {
    bytes: u64,
    compile_ms: f64,
    load_ms: f64,
    call_us: Spread,
    apart_us: Spread,
    memory_kib: u64,
}

#[derive(Debug, Deserialize)]
struct Spread {
    median: f64,
}

fn micros(of: Duration) -> f64 {
    of.as_secs_f64() * 1e6
}

fn kib(of: u64) -> f64 {
    u32::try_from(of).map_or(f64::INFINITY, f64::from)
}

fn ms(of: f64) -> Duration {
    Duration::from_secs_f64(of.max(0.0) / 1e3)
}

pub(super) fn run(calls: u32, json: Option<&Path>, readme: Option<&Path>) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("bench-plugins-").tempdir()?;
    let request = dir.path().join("request.json");
    fs::write(&request, REQUEST)?;
    let section = dir.path().join("section.toml");
    fs::write(&section, "refuse = [\"docker.io/\", \"registry.example/old/\"]\n")?;

    command::step(&format!("measuring the peers, {calls} decisions each"));
    let native = native(calls);
    let http = Http::start(&dir.path().join("policy.sock"))?.ask(calls)?;
    let cni = Cni::new(dir.path())?;
    let cni = cni.as_ref().map(|cni| cni.ask(calls.min(200))).transpose()?;

    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for (language, title, goal) in LANGUAGES {
        let component = match component(language, dir.path()) {
            Ok(component) => component,
            Err(why) => {
                command::step(&format!("{language} is left out: {why:#}"));
                continue;
            }
        };
        command::step(&format!("measuring {language}"));
        let figures = figures(&component, &request, &section, calls)?;
        let call = [ms(figures.call_us.median / 1e3)];
        let apart = [ms(figures.apart_us.median / 1e3)];
        rows.push(limit(&format!("{language}: a call"), &call, goal));
        if matches!(language, "rust" | "c") {
            rows.push(limit(&format!("{language}: over the socket"), &apart, APART));
            rows.push(Row::new(&format!("{language}: a call"), &call, "native function", &native, None));
            rows.push(Row::new(&format!("{language}: over the socket"), &apart, "HTTP, unix socket", &http, None));
            if let Some(cni) = &cni {
                rows.push(Row::new(&format!("{language}: over the socket"), &apart, "CNI host-local", cni, None));
            }
        }
        let compile = if figures.bytes <= SMALL { COMPILE[0] } else { COMPILE[1] };
        rows.push(limit(&format!("{language}: compile, once"), &[ms(figures.compile_ms)], compile));
        rows.push(limit(&format!("{language}: load"), &[ms(figures.load_ms)], LOAD));
        let small = matches!(language, "rust" | "c");
        lines.push(Line {
            language: title,
            bytes: figures.bytes,
            call: Figure { is: figures.call_us.median, goal: Some(micros(goal)) },
            apart: Figure { is: figures.apart_us.median, goal: small.then_some(micros(APART)) },
            load: Figure { is: figures.load_ms, goal: Some(LOAD.as_secs_f64() * 1e3) },
            compile: Figure { is: figures.compile_ms / 1e3, goal: Some(compile.as_secs_f64()) },
            memory: Figure { is: kib(figures.memory_kib) / 1024.0, goal: (language == "rust").then_some(MEMORY_MIB) },
        });
    }
    command::step("measuring what a run spends in plugins");
    let spent = spent_by_runs()?;
    rows.push(limit("davit run: in plugins", &spent, RUN));
    row::print(&rows);
    let us = |of: &[Duration]| median(of) * 1e3;
    let cni = cni.as_deref().map(us);
    let table = table::written(&lines, &Beside { native: us(&native), http: us(&http), cni, run: us(&spent) })?;
    println!("\n{table}");
    if let Some(path) = readme {
        table::put(path, &table)?;
    }
    if let Some(path) = json {
        row::write(&rows, path)?;
        println!("rows are in {}", path.display());
    }
    Ok(())
}

/// A goal in itself, as a row.
fn limit(name: &str, ours: &[Duration], most: Duration) -> Row {
    Row::new(name, ours, "the goal", &[most], Some(1.0))
}

/// The lifecycle template of a language, as a component.
fn component(language: &str, dir: &Path) -> Result<PathBuf> {
    let name = format!("bench-{language}");
    let folder = dir.join(&name);
    let davit = |words: &[&str]| {
        let output =
            Command::new(daemon::programs().join("davit")).arg("plugin").args(words).current_dir(dir).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        anyhow::Ok(())
    };
    davit(&["new", "--kind", "lifecycle", "--lang", language, &name])?;
    davit(&["build", &name])?;
    Ok(folder.join(format!("{name}.wasm")))
}

fn figures(component: &Path, request: &Path, section: &Path, calls: u32) -> Result<Figures> {
    let mut davit = Command::new(daemon::programs().join("davit"));
    davit.args(["plugin", "bench", "--json", "--calls", &calls.to_string()]).arg(component);
    davit.arg("--request").arg(request).arg("--config").arg(section);
    let output = davit.output().context("cannot start davit")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    serde_json::from_slice(&output.stdout).context("davit plugin bench said something else")
}

/// What each of some runs spent in plugins, with a chain of two and the shipped drivers.
fn spent_by_runs() -> Result<Vec<Duration>> {
    const RUNS: u32 = 20;
    let dir = tempfile::tempdir()?;
    let registry = Registry::start(dir.path(), None)?;
    let reference = format!("{}/bench/busybox:1", registry.host);
    image::make(&dir.path().join("image"), &Config::shell())?.push(&reference, None)?;
    let daemon = Daemon::start()?;
    quietly(daemon.davit().args(["pull", "-q", &reference]))?;
    let run = || quietly(daemon.davit().args(["run", "--rm", &reference, "true"]));
    run()?;
    let mut spent = Vec::new();
    for _ in 0..RUNS {
        let before = in_plugins(&daemon)?;
        run()?;
        spent.push(in_plugins(&daemon)?.saturating_sub(before));
    }
    daemon.finish()?;
    Ok(spent)
}

fn in_plugins(daemon: &Daemon) -> Result<Duration> {
    let davit = |words: &[&str]| {
        let output = daemon.davit().arg("plugin").args(words).output()?;
        let err = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "davit plugin {words:?}: {}", err.trim());
        let text = String::from_utf8(output.stdout)?;
        anyhow::Ok(text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    };
    let names = davit(&["stats", "--format", "{{.Name}}"])?;
    let words = ["inspect", "--format", "{{.Calls.TotalUs}}"].into_iter().chain(names.iter().map(String::as_str));
    let each = davit(&words.collect::<Vec<_>>())?;
    let each = each.iter().map(|word| word.parse::<u64>().with_context(|| format!("{word:?} is no time")));
    Ok(Duration::from_micros(each.sum::<Result<u64>>()?))
}

/// May this image be pulled?
const REQUEST: &str = r#"{
  "kind": "lifecycle",
  "call": "admit",
  "operation": {
    "kind": "image.pull",
    "caller": "uid:1000",
    "image": "registry.example/team/app:1.2",
    "image_digest": null,
    "labels": {},
    "privileged": false,
    "request": null
  }
}
"#;

/// How long each of many took.
pub(super) fn each(times: u32, mut what: impl FnMut() -> Result<()>) -> Result<Vec<Duration>> {
    (0..times)
        .map(|_| {
            let began = Instant::now();
            what().map(|()| began.elapsed())
        })
        .collect()
}
