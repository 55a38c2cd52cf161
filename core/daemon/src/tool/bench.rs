//! `davit plugin bench`: what a component costs: compiling it, loading it, a call in a fresh instance, the same call over
//! the socket of a host process as the daemon has one, and memory.

use super::{Component, component, read, say};
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

/// How many more components are loaded to see what one takes: small ones, and those that take long to compile.
const COPIES: [u64; 2] = [8, 1];
const SMALL: usize = 1 << 20;

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
    let bytes = component(file)?;
    let services = Arc::new(Imagined::with_config(options.component.section()?));
    let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    // Of its own: compiling is measured as well.
    let forms = tempfile::tempdir().context("making a folder for the compiled form")?;

    let source = Source::Bytes(&bytes);
    let (compiled_in, plugin) = loaded(forms.path(), &services, &name, source, &Grant::default()).await?;
    let grant = options.component.granted(&Grant::of_needs(plugin.info()))?;
    // As an installed one is loaded.
    let source = Source::Blob { digest: &plugin.info().digest, bytes: &bytes };
    let (loaded_in, plugin) = loaded(forms.path(), &services, &name, source, &grant).await?;
    let question = Arc::new(question);
    let call_us = timed(options.calls, question.clone(), Called::Here(plugin)).await?;

    let host = ApartHost::new(forms.path(), role::programs())?;
    let port: Arc<dyn HostServices> = services;
    let remote = host.load(&port, &Counter::default(), &name, Source::Bytes(&bytes), &grant).await?;
    let apart_us = timed(options.calls, question.clone(), Called::There(remote)).await?;
    let memory_kib = memory(&host, &port, &name, &bytes).await?;

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
    source: Source<'_>,
    grant: &Grant,
) -> Result<(Duration, Arc<Plugin>)> {
    let host = PluginHost::new(HostOptions::new(forms, services.clone()))?;
    let began = Instant::now();
    let plugin = host.load(name, source, grant).await?;
    Ok((began.elapsed(), plugin))
}

/// Where the calls are made.
#[derive(Clone)]
enum Called {
    Here(Arc<Plugin>),
    There(Arc<Remote>),
}

impl Called {
    async fn call(&self, question: &Question) -> Result<Planned<Reply>, PortError> {
        // Made for each, so that a repeated call is the same call.
        let leases = ImaginedLeases::before(question);
        let lending = Lending { leases: &leases, manifests: &NoManifests };
        match self {
            Self::Here(plugin) => plugin.reply(question, lending).await,
            Self::There(remote) => remote.reply(question, lending).await,
        }
    }
}

/// In a task of the runtime, as the daemon makes its calls.
async fn timed(calls: u32, question: Arc<Question>, called: Called) -> Result<Spread> {
    let timing = tokio::spawn(async move {
        let mut times = Vec::new();
        // The first ones pay for what is made once.
        for round in 0..calls + calls / 10 {
            let began = Instant::now();
            let outcome = called.call(&question).await;
            let took = began.elapsed();
            if let Err(error) = outcome {
                bail!("the call that is to be timed fails: {error}");
            }
            if round >= calls / 10 {
                times.push(took.as_secs_f64() * 1e6);
            }
        }
        times.sort_by(f64::total_cmp);
        Ok(times)
    });
    let times = timing.await.context("a timed call panicked")??;
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or(f64::NAN);
    Ok(Spread { best: at(0), median: at(50), p99: at(99) })
}

/// How much more the host process holds for one more such component: not the same one, whose code would be shared.
async fn memory(host: &ApartHost, services: &Arc<dyn HostServices>, name: &str, bytes: &[u8]) -> Result<u64> {
    let pid = host.pid().await.context("the host process is gone")?;
    let before = resident(pid)?;
    let [few, one] = COPIES;
    let copies = if bytes.len() <= SMALL { few } else { one };
    let mut kept: Vec<Arc<Remote>> = Vec::new();
    for copy in 0..copies {
        let (name, own) = (format!("{name}-{copy}"), distinct(bytes, copy)?);
        let remote = host.load(services, &Counter::default(), &name, Source::Bytes(&own), &Grant::default()).await?;
        remote.wake().await?;
        kept.push(remote);
    }
    Ok(resident(pid)?.saturating_sub(before) / copies)
}

/// The component with a custom section more, so that it has a digest and a compiled form of its own.
fn distinct(bytes: &[u8], number: u64) -> Result<Vec<u8>> {
    let name = format!("copy {number}");
    let length = u8::try_from(name.len()).context("the section's name is short")?;
    Ok([bytes, &[0, length + 1, length], name.as_bytes()].concat())
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
