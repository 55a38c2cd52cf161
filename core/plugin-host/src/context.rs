//! What a store holds while one call runs: the call's deadline, the guest's handles, what it recorded so far. Made for
//! the call, gone after it.

use crate::{
    control::Control,
    leases::{LeaseAsk, ManifestAsk},
    limiter::Limiter,
    rights::Rights,
    wasi::HollowWasi,
};
use davit_model::{
    auth::Challenge,
    error::PolicyError,
    services::{HostServices, LogLevel},
    state::{StateWrite, StateWrites},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::ResourceTable;

const MAX_HANDLES: usize = 1024;
const MAX_LOG: usize = 64 << 10;
/// An answer has at most 8 MiB.
const MAX_KEPT: usize = 32 << 20;

/// Where a guest's plan is written; the handle that the guest drops and the host share it.
#[derive(Debug, Default)]
pub(crate) struct Sink<T>(Arc<Mutex<T>>);

impl<T> Clone for Sink<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Default> Sink<T> {
    /// Reads or writes what was said so far.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All that was said.
    pub(crate) fn take(&self) -> T {
        self.with(std::mem::take)
    }
}

/// Who is called, and on whose behalf the host functions act.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The plugin's name in the site's file.
    pub(crate) site_name: String,
    /// `name@version`, for errors.
    pub(crate) label: String,
    /// What it may do.
    pub(crate) rights: Rights,
}

/// What a caller lends to one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lent {
    /// The challenge that is being answered.
    pub(crate) challenge: Option<Arc<Challenge>>,
    /// Where leases are asked for.
    pub(crate) leases: Option<mpsc::Sender<LeaseAsk>>,
    /// Where referrers and blobs are asked for.
    pub(crate) manifests: Option<mpsc::Sender<ManifestAsk>>,
}

/// A store's data.
pub(crate) struct Context {
    identity: Arc<Identity>,
    /// What the host does for the call.
    services: Arc<dyn HostServices>,
    control: Arc<Control>,
    lent: Lent,
    table: ResourceTable,
    pub(crate) limiter: Limiter,
    wasi: HollowWasi,
    section: Option<serde_json::Value>,
    /// By key; they wait for the call's good end.
    writes: BTreeMap<String, StateWrite>,
    logged: usize,
    log_lost: u32,
    requests: u32,
    /// Bytes that stand behind its handles.
    kept: usize,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("plugin", &self.identity.label).finish_non_exhaustive()
    }
}

impl Context {
    pub(crate) fn new(
        identity: Arc<Identity>,
        services: Arc<dyn HostServices>,
        control: Arc<Control>,
        lent: Lent,
        limiter: Limiter,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Self {
            identity,
            services,
            control,
            lent,
            table,
            limiter,
            wasi: HollowWasi::default(),
            section: None,
            writes: BTreeMap::new(),
            logged: 0,
            log_lost: 0,
            requests: 0,
            kept: 0,
        }
    }

    /// Begins a host function: a trap once the deadline has passed.
    pub(crate) fn enter(&self) -> wasmtime::Result<()> {
        self.control.check()
    }

    /// Waits for something of the host's, but not past the deadline.
    pub(crate) async fn wait<T>(&mut self, what: impl Future<Output = T>) -> wasmtime::Result<T> {
        self.control.clone().wait(what).await
    }

    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    pub(crate) fn wasi(&mut self) -> (&mut HollowWasi, &mut ResourceTable) {
        (&mut self.wasi, &mut self.table)
    }

    pub(crate) fn rights(&self) -> &Rights {
        &self.identity.rights
    }

    pub(crate) fn services(&self) -> &Arc<dyn HostServices> {
        &self.services
    }

    pub(crate) fn site_name(&self) -> &str {
        &self.identity.site_name
    }

    pub(crate) fn challenge(&self) -> Option<&Arc<Challenge>> {
        self.lent.challenge.as_ref()
    }

    /// How much of the call's time is left.
    pub(crate) fn left(&self) -> Duration {
        self.control.left()
    }

    pub(crate) fn began(&self) -> Instant {
        self.control.began()
    }

    /// Passes a line on, up to the call's share.
    pub(crate) fn log(&mut self, level: LogLevel, message: &str) {
        self.logged = self.logged.saturating_add(message.len());
        if self.logged > MAX_LOG {
            self.log_lost = self.log_lost.saturating_add(1);
        } else {
            self.services.log(&self.identity.site_name, level, message);
        }
    }

    /// The call's time, for whoever waits while the rest of this is in use.
    pub(crate) fn control(&self) -> Arc<Control> {
        self.control.clone()
    }

    /// Counts bytes that the host is about to keep behind a handle: the guest's own memory is limited, and so is what it
    /// has the host keep for it.
    pub(crate) fn keep(&mut self, bytes: usize) -> Result<(), PolicyError> {
        let kept = self.kept.saturating_add(bytes);
        if kept > MAX_KEPT {
            let text = format!("a call has at most {} MiB of requests, answers and secrets", MAX_KEPT >> 20);
            return Err(PolicyError::Internal(text));
        }
        self.kept = kept;
        Ok(())
    }

    /// They are kept no longer.
    pub(crate) fn let_go(&mut self, bytes: usize) {
        self.kept = self.kept.saturating_sub(bytes);
    }

    /// Counts a request against the call's share.
    pub(crate) fn count_http(&mut self, limit: u32) -> Result<(), PolicyError> {
        if self.requests >= limit {
            return Err(PolicyError::Internal(format!("a call makes at most {limit} HTTP requests")));
        }
        self.requests += 1;
        Ok(())
    }

    /// The plugin's section of the site's file, read once a call.
    pub(crate) async fn section(&mut self) -> Result<&serde_json::Value, crate::contract::v0_1::Refusal> {
        self.enter()?;
        let section = match self.section.take() {
            Some(section) => section,
            None => {
                let services = self.services().clone();
                let plugin = self.site_name().to_owned();
                self.wait(services.config(&plugin)).await??
            }
        };
        Ok(self.section.insert(section))
    }

    /// A state value as this call sees it.
    pub(crate) async fn state_value(&mut self, key: &str) -> Result<Option<Vec<u8>>, crate::contract::v0_1::Refusal> {
        if let Some(write) = self.writes.get(key) {
            return Ok(write.new.clone());
        }
        let services = self.services().clone();
        let plugin = self.site_name().to_owned();
        Ok(self.wait(services.state_get(&plugin, key)).await??)
    }

    /// Keeps a write until the call's good end.
    pub(crate) fn hold_back(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
    ) -> Result<(), PolicyError> {
        const MAX_WRITES: usize = 1024;
        const MAX_BYTES: usize = 16 << 20;
        let held: usize = self.writes.values().map(|w| w.new.as_ref().map_or(0, Vec::len)).sum();
        if self.writes.len() >= MAX_WRITES || held.saturating_add(new.as_ref().map_or(0, Vec::len)) > MAX_BYTES {
            return Err(PolicyError::Internal(format!(
                "a call writes at most {MAX_WRITES} keys and {MAX_BYTES} bytes"
            )));
        }
        let first = StateWrite { key: key.clone(), expected, new: new.clone() };
        self.writes.entry(key).and_modify(|w| w.new = new).or_insert(first);
        Ok(())
    }

    pub(crate) fn held_back(&self) -> &BTreeMap<String, StateWrite> {
        &self.writes
    }

    /// Asks the caller for a lease.
    pub(crate) async fn lease<T>(
        &mut self,
        ask: impl FnOnce(oneshot::Sender<Result<T, PolicyError>>) -> LeaseAsk,
    ) -> wasmtime::Result<Result<T, PolicyError>> {
        let to = self.lent.leases.clone();
        self.wait(asked(to, ask)).await
    }

    /// Asks the caller about a manifest.
    pub(crate) async fn manifest<T>(
        &mut self,
        ask: impl FnOnce(oneshot::Sender<Result<T, PolicyError>>) -> ManifestAsk,
    ) -> wasmtime::Result<Result<T, PolicyError>> {
        let to = self.lent.manifests.clone();
        self.wait(asked(to, ask)).await
    }

    /// The call is over: says what of its log was lost, passes on what it wrote to its standard streams, and hands out
    /// its state writes.
    pub(crate) fn finish(mut self) -> StateWrites {
        for (level, line) in self.wasi.lines() {
            self.log(level, &line);
        }
        if self.log_lost > 0 {
            let text = format!("{} lines dropped: a call logs at most {MAX_LOG} bytes", self.log_lost);
            self.services.log(&self.identity.site_name, LogLevel::Warn, &text);
        }
        StateWrites { plugin: self.identity.site_name.clone(), writes: self.writes.into_values().collect() }
    }
}

async fn asked<A, T>(
    to: Option<mpsc::Sender<A>>,
    ask: impl FnOnce(oneshot::Sender<Result<T, PolicyError>>) -> A,
) -> Result<T, PolicyError> {
    let gone = || PolicyError::Internal("whoever called is not there any more".to_owned());
    let Some(to) = to else { return Err(gone()) };
    let (reply, answer) = oneshot::channel();
    to.send(ask(reply)).await.map_err(|_| gone())?;
    answer.await.map_err(|_| gone())?
}
