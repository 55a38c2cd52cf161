//! davitd: the one place that wires everything and knows how nothing works. Configuration in, plugins behind the
//! engine's ports, the engine behind the API, signals out.

mod listen;
mod options;
mod pidfile;
mod places;
mod policy;
mod role;
mod services;
mod tool;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use davit_engine::{
    Engine, EngineError, EngineOptions, PluginState,
    policy::{Policy, PolicyLoader},
    site::Site,
};
use options::Options;
use places::Places;
use std::{io::IsTerminal as _, process::ExitCode, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    if let Some(code) = role::child().or_else(tool::chosen) {
        return code;
    }
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(options.filter()))
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            tracing::error!("{e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        anyhow::bail!("davitd needs root to make namespaces and mounts; run it with sudo");
    }
    // Two providers could be linked one day; naming one keeps the choice ours.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let places = Places::find(options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting tokio")?;
    runtime.block_on(async {
        if options.validate { validate(options, &places).await } else { serve(options, &places).await }
    })
}

async fn validate(options: &Options, places: &Places) -> Result<()> {
    let site = Arc::new(Site::read(&places.site_file)?);
    let loader = policy::Loader::new(options, places, Arc::new(davit_engine::Forgetful::default()))?;
    let root = &options.data_root;
    match davit_engine::plugins::installed_at(root).await? {
        Some(installed) => drop(Policy::accept(&loader, &site, installed, root).await?),
        None => drop(Policy::accept(&loader, &site, Vec::new(), root).await.with_context(|| {
            format!(
                "a daemon runs on {}, and what is installed there is its alone: davit reload looks at the whole file \
                 before it puts it in force",
                root.display()
            )
        })?),
    }
    tracing::info!("{}: configuration OK", places.site_file.display());
    Ok(())
}

async fn serve(options: &Options, places: &Places) -> Result<()> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let engine_options = EngineOptions {
        data_root: options.data_root.clone(),
        exec_root: options.exec_root.clone(),
        site_file: places.site_file.clone(),
        runtime: places.runtime.clone(),
    };
    let loader = |state: Arc<dyn PluginState>| {
        let loader = policy::Loader::new(options, places, state);
        loader
            .map(|l| Arc::new(l) as Arc<dyn PolicyLoader>)
            .map_err(|e| EngineError::internal("starting", format!("{e:#}")))
    };
    // First the data root, which only one daemon can have; then the socket, so that nobody meets one without an engine.
    let engine = Engine::open(engine_options, loader).await?;
    let default = format!("unix://{}", options.exec_root.join("davit.sock").display());
    let hosts = if options.hosts.is_empty() { vec![default] } else { options.hosts.clone() };
    let (mut listeners, mut paths) = (Vec::new(), Vec::new());
    for host in &hosts {
        for listening in listen::open(host, options.group.as_deref()).await? {
            listeners.push(listening.listener);
            paths.extend(listening.path);
        }
    }
    let pidfile = pidfile::PidFile::write(options)?;
    let closing = CancellationToken::new();
    tokio::spawn(signals(engine.clone(), closing.clone()));
    tracing::info!("davitd {} listens on {}", env!("CARGO_PKG_VERSION"), hosts.join(", "));
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    davit_api::serve(listeners, davit_api::router(engine.clone()), closing).await;
    engine.close().await;
    for path in paths {
        let _ = std::fs::remove_file(path);
    }
    drop(pidfile);
    Ok(())
}

/// SIGTERM and SIGINT end the daemon, SIGHUP reads the site's file again.
async fn signals(engine: Engine, closing: CancellationToken) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => match engine.reload().await {
                Ok(said) => tracing::info!("{said}"),
                Err(e) => tracing::error!("the site's file was not taken over, the old policy stays: {e}"),
            },
        }
    }
    tracing::info!("ending; containers run on");
    closing.cancel();
    Ok(())
}
