//! The host process: confined first, then it loads what the daemon sends and calls what the daemon asks for, until the
//! socket closes.

use super::{
    blocking::{Incoming, Said},
    confine, frames,
    proxy::{Proxy, Uplink},
    wire::{Call, Deadlines, FromHost, Load, Loaded, ToHost},
};
use crate::{
    compiled::Compiled,
    context::Identity,
    counts::{Counts, End},
    host::HostOptions,
    machine::Machine,
    manifest::Manifest,
    plugin::Plugin,
    question::{Lending, Reply},
    rights::Rights,
};
use davit_model::{
    error::{PolicyError, PortError},
    services::HostServices,
    state::Planned,
};
use serde_json::value::RawValue;
use std::{
    collections::HashMap,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{Arc, Mutex, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// Threads that run guests: a call that never yields holds one up until its deadline.
const WORKERS: usize = 4;

/// The host process's life: `main` calls this where the program was started for it (see [`super::HostProgram`]). The
/// socket is standard input. Comes back when the daemon has closed it.
///
/// # Errors
/// A text; the daemon has been told it as well where it still listens.
pub fn serve_stdin() -> Result<(), String> {
    if confine::outer()? {
        return Ok(());
    }
    let socket = confine::standard_input().map_err(|e| format!("taking the socket: {e}"))?;
    let serving = prepare();
    match serving {
        Ok((runtime, machine)) => runtime.block_on(serve(socket, machine)).map_err(|e| format!("serving: {e}")),
        Err(why) => {
            let told = frames::frame(&FromHost::Failed { why: why.clone() });
            // Where the daemon is gone as well, the exit status is all that is left.
            let _ = told.and_then(|frame| std::io::Write::write_all(&mut &socket, &frame));
            Err(why)
        }
    }
}

/// Everything that needs more than what is left afterwards.
fn prepare() -> Result<(tokio::runtime::Runtime, Machine), String> {
    let failed = |what: &'static str| move |e: std::io::Error| format!("{what}: {e}");
    confine::open_own_pages().map_err(failed("looking at the plugin host's own pages"))?;
    confine::enter().map_err(failed("confining the plugin host"))?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(WORKERS).enable_time().build();
    let runtime = runtime.map_err(failed("starting tokio"))?;
    let machine = Machine::new(HostOptions::caps()).map_err(|e| e.to_string())?;
    confine::filter().map_err(failed("loading the filter of the plugin host"))?;
    Ok((runtime, machine))
}

struct Host {
    machine: Machine,
    uplink: Arc<Uplink>,
    plugins: Mutex<HashMap<u64, Arc<Plugin>>>,
    calls: Mutex<HashMap<u64, CancellationToken>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(socket: UnixStream, machine: Machine) -> std::io::Result<()> {
    let (mut from, to) = (Incoming::of(socket.try_clone()?), Said::over(socket));
    let uplink = Arc::new(Uplink::new(to));
    let host = Arc::new(Host { machine, uplink, plugins: Mutex::default(), calls: Mutex::default() });
    host.uplink.say(&FromHost::Ready);
    while let Some(message) = from.next::<ToHost>().await? {
        match message {
            ToHost::Load(load) => {
                let (host, form) = (host.clone(), from.descriptor());
                tokio::task::spawn_blocking(move || {
                    let plugin = load.plugin;
                    let form = form.ok_or_else(|| "its compiled form has not come with it".to_owned());
                    let loaded = form.and_then(|form| host.load(*load, form));
                    host.uplink.say(&FromHost::Loaded { plugin, loaded });
                });
            }
            ToHost::Unload { plugin } => drop(locked(&host.plugins).remove(&plugin)),
            ToHost::Call { id, plugin, call, section } => host.call(id, plugin, call, section),
            ToHost::Ping { number } => host.uplink.say(&FromHost::Pong { number }),
            ToHost::Cancel { id } => {
                if let Some(call) = locked(&host.calls).remove(&id) {
                    call.cancel();
                }
            }
            ToHost::Served { ask, answer } => host.uplink.served(ask, answer),
        }
    }
    Ok(())
}

impl Host {
    fn load(&self, load: Load, form: OwnedFd) -> Result<Loaded, String> {
        let manifest = Manifest::parse(load.manifest.as_bytes())?;
        let identity = Identity {
            label: manifest.label(),
            rights: Rights::effective(&load.site_name, &manifest.needs, &load.granted, &load.callers),
            site_name: load.site_name,
        };
        // Of nobody's call; each call has its own.
        let services: Arc<dyn HostServices> =
            Arc::new(Proxy { uplink: self.uplink.clone(), id: u64::MAX, plugin: load.plugin, section: None });
        let plugin = self.machine.link(identity, services, manifest, load.digest, &Compiled::from_daemon(form))?;
        let info = plugin.info().clone();
        let loaded = Loaded {
            exports: info.exports,
            imports: info.imports,
            functions: info.functions,
            kinds: info.kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            deadlines: Deadlines::of(plugin.limits()),
        };
        locked(&self.plugins).insert(load.plugin, Arc::new(plugin));
        Ok(loaded)
    }

    fn call(self: &Arc<Self>, id: u64, plugin: u64, call: Call, section: Option<Box<RawValue>>) {
        let token = CancellationToken::new();
        locked(&self.calls).insert(id, token.clone());
        let found = locked(&self.plugins).get(&plugin).cloned();
        let host = self.clone();
        let proxy = Arc::new(Proxy { uplink: self.uplink.clone(), id, plugin, section });
        tokio::spawn(async move {
            let answered = tokio::select! {
                answered = host.answer(proxy, found, call) => Some(answered),
                () = token.cancelled() => None,
            };
            locked(&host.calls).remove(&id);
            if let Some((end, answer)) = answered {
                host.uplink.say(&FromHost::Answered { id, end, answer });
            }
        });
    }

    async fn answer(
        &self,
        proxy: Arc<Proxy>,
        plugin: Option<Arc<Plugin>>,
        call: Call,
    ) -> (End, Result<Option<Planned<Reply>>, PortError>) {
        let Some(plugin) = plugin else {
            let error = PolicyError::Internal("the plugin is not loaded".to_owned());
            return (End::Trapped, Err(PortError::new("plugin host", "call", error)));
        };
        let services: Arc<dyn HostServices> = proxy.clone();
        #[cfg(feature = "planted-hole")]
        if let Some(answer) = super::hole::taken_over(&call, &proxy).await {
            let answer = answer.map(|reply| Some(reply.into()));
            return (End::Answered, answer.map_err(|e| PortError::new("somebody", "else", e)));
        }
        let counts = Arc::new(Counts::default());
        let plugin = plugin.on_behalf(&services, &counts);
        let answer = match call {
            Call::Wake => plugin.wake().await.map(|()| None),
            Call::Ask(question) => {
                let lending = Lending { leases: proxy.as_ref(), manifests: proxy.as_ref() };
                plugin.reply(&question, lending).await.map(Some)
            }
        };
        (counts.only(), answer)
    }
}
