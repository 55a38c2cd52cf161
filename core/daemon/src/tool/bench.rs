//! `davit plugin bench`: what a component costs: compiling it, loading it, a call in a fresh instance, the same call over
//! the socket of a host process as the daemon has one, and memory.

use super::{Component, read, say};
use crate::role;
use anyhow::{Context as _, Result, bail, ensure};
use davit_model::{error::PortError, services::HostServices, state::Planned};
use davit_plugin_host::{
    Counter, Grant, HostOptions, Lending, Plugin, PluginHost, Question, Reply, Source,
    apart::{ApartHost, Remote},
    conformance::{Imagined, ImaginedLeases, NoManifests},
};
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

/// How many of the same component are loaded to see what one takes.
const COPIES: u64 = 8;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    component: Component,
    /// The call as JSON, as for `run`
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// Calls that are timed
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    calls: u32,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Figures {
    plugin: String,
    call: &'static str,
    bytes: usize,
    /// Compiling it for this machine, once.
    compile_ms: f64,
    /// Loading the compiled form.
    load_ms: f64,
    /// A call in a fresh instance, within one process.
    call_us: Spread,
    /// The same over the socket to a host process.
    apart_us: Spread,
    /// What one more of it takes in a host process.
    memory_kib: u64,
}

/// Of many times.
#[derive(Clone, Copy, Debug, Serialize)]
struct Spread {
    best: f64,
    median: f64,
    p99: f64,
}

pub(super) async fn run(options: &Options) -> Result<ExitCode> {
    let path = &options.request;
    let question: Question =
        serde_json::from_str(&read(path)?).with_context(|| format!("{} is not a call", path.display()))?;
    let file = &options.component.file;
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let services = Arc::new(Imagined::with_config(options.component.section()?));
    let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    // Of its own: compiling is measured as well.
    let forms = tempfile::tempdir().context("making a folder for the compiled form")?;

    let (compiled_in, plugin) = loaded(forms.path(), &services, &name, &bytes, &Grant::default()).await?;
    let grant = options.component.granted(&Grant::of_needs(plugin.info()))?;
    let (loaded_in, plugin) = loaded(forms.path(), &services, &name, &bytes, &grant).await?;
    let here = || async {
        // Made for each, so that a repeated call is the same call.
        let leases = ImaginedLeases::before(&question);
        plugin.reply(&question, Lending { leases: &leases, manifests: &NoManifests }).await
    };
    let call_us = timed(options.calls, here).await?;

    let host = ApartHost::new(forms.path(), role::programs())?;
    let port: Arc<dyn HostServices> = services;
    let remote = host.load(&port, &Counter::default(), &name, Source::Bytes(&bytes), &grant).await?;
    let there = || async {
        let leases = ImaginedLeases::before(&question);
        remote.reply(&question, Lending { leases: &leases, manifests: &NoManifests }).await
    };
    let apart_us = timed(options.calls, there).await?;
    let memory_kib = memory(&host, &port, &name, &bytes, &grant).await?;

    let figures = Figures {
        plugin: name,
        call: question.call(),
        bytes: bytes.len(),
        compile_ms: (compiled_in.saturating_sub(loaded_in)).as_secs_f64() * 1e3,
        load_ms: loaded_in.as_secs_f64() * 1e3,
        call_us,
        apart_us,
        memory_kib,
    };
    if options.json {
        say(&serde_json::to_string_pretty(&figures)?);
    } else {
        shown(&figures);
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(figures: &Figures) {
    let Figures { plugin, call, bytes, compile_ms, load_ms, call_us, apart_us, memory_kib } = figures;
    say(&format!("{plugin}, {bytes} bytes"));
    say(&format!("compile, once        {compile_ms:10.1} ms"));
    say(&format!("load                 {load_ms:10.1} ms"));
    for (what, Spread { best, median, p99 }) in [("a call", call_us), ("over the socket", apart_us)] {
        say(&format!("{:20} {median:10.1} µs median, best {best:.1}, p99 {p99:.1}", format!("{call}, {what}")));
    }
    say(&format!("memory               {memory_kib:10} KiB"));
}

/// A host over these compiled forms, and the component in it; and how long the component took.
async fn loaded(
    forms: &Path,
    services: &Arc<Imagined>,
    name: &str,
    bytes: &[u8],
    grant: &Grant,
) -> Result<(Duration, Arc<Plugin>)> {
    let host = PluginHost::new(HostOptions::new(forms, services.clone()))?;
    let began = Instant::now();
    let plugin = host.load(name, Source::Bytes(bytes), grant).await?;
    Ok((began.elapsed(), plugin))
}

async fn timed<F>(calls: u32, mut call: impl FnMut() -> F) -> Result<Spread>
where
    F: Future<Output = Result<Planned<Reply>, PortError>>,
{
    let mut times = Vec::new();
    // The first ones pay for what is made once.
    for round in 0..calls + calls / 10 {
        let future = call();
        let began = Instant::now();
        let outcome = future.await;
        let took = began.elapsed();
        if let Err(error) = outcome {
            bail!("the call that is to be timed fails: {error}");
        }
        if round >= calls / 10 {
            times.push(took.as_secs_f64() * 1e6);
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or(f64::NAN);
    Ok(Spread { best: at(0), median: at(50), p99: at(99) })
}

/// How much more the host process holds for one more of the same component.
async fn memory(
    host: &ApartHost,
    services: &Arc<dyn HostServices>,
    name: &str,
    bytes: &[u8],
    grant: &Grant,
) -> Result<u64> {
    let pid = host.pid().await.context("the host process is gone")?;
    let before = resident(pid)?;
    let mut kept: Vec<Arc<Remote>> = Vec::new();
    for copy in 0..COPIES {
        let name = format!("{name}-{copy}");
        let remote = host.load(services, &Counter::default(), &name, Source::Bytes(bytes), grant).await?;
        remote.wake().await?;
        kept.push(remote);
    }
    Ok(resident(pid)?.saturating_sub(before) / COPIES)
}

/// Resident memory in KiB of a process and its children: the host confines itself in a child of what was started.
fn resident(pid: u32) -> Result<u64> {
    let read = |path: String| std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"));
    let status = read(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let own = line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse::<u64>().ok());
    ensure!(own.is_some(), "/proc/{pid}/status does not say VmRSS");
    let mut all = own.unwrap_or_default();
    for child in read(format!("/proc/{pid}/task/{pid}/children"))?.split_whitespace() {
        all += resident(child.parse()?)?;
    }
    Ok(all)
}
