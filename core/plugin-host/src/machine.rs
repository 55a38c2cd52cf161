//! What makes components run: one engine, one pool, one linker. Knows no file and no folder.

use crate::{
    call::Callee,
    compiled::{Compiled, Components},
    context::{Context, Identity},
    contract, engine,
    error::LoadError,
    limits::Limits,
    manifest::Manifest,
    plugin::Plugin,
    ticker::Ticker,
    wasi,
};
use davit_model::services::HostServices;
use std::{fmt, sync::Arc};
use tokio::sync::Semaphore;
use wasmtime::{Engine, component::Linker};

/// What all calls share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    pub(crate) calls: Arc<Semaphore>,
}

/// Links components and makes plugins of them.
pub(crate) struct Machine {
    pub(crate) shared: Arc<Shared>,
    linker: Linker<Context>,
    components: Components,
    caps: Limits,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("caps", &self.caps).finish_non_exhaustive()
    }
}

impl Machine {
    /// Sets wasmtime up; no manifest goes beyond `caps`.
    pub(crate) fn new(caps: Limits) -> Result<Self, LoadError> {
        let failed = |what| move |source| LoadError::Host { what, source };
        let engine = engine::engine().map_err(failed("setting up wasmtime"))?;
        let mut linker = Linker::new(&engine);
        contract::add_to_linker(&mut linker).map_err(failed("linking the contract"))?;
        wasi::add_to_linker(&mut linker).map_err(failed("linking WASI"))?;
        let ticker = Ticker::start(&engine).map_err(|e| failed("starting the epoch clock")(e.into()))?;
        let calls = Arc::new(Semaphore::new(usize::try_from(engine::CONCURRENT_CALLS).unwrap_or(1)));
        Ok(Self { shared: Arc::new(Shared { engine, ticker, calls }), linker, components: Components::default(), caps })
    }

    /// A plugin of a component. The error is a text about the component.
    pub(crate) fn link(
        &self,
        identity: Identity,
        services: Arc<dyn HostServices>,
        manifest: Manifest,
        digest: String,
        form: &Compiled,
    ) -> Result<Plugin, String> {
        let component = self.components.of(&self.shared.engine, form)?;
        let pre = self.linker.instantiate_pre(&component).map_err(|e| {
            format!("it wants what this host does not have ({e:#}); it was built for another version of the contract")
        })?;
        let callee = Callee {
            shared: self.shared.clone(),
            identity: Arc::new(identity),
            services,
            limits: Limits::wanted(&manifest.limits, &self.caps),
            pre,
            counts: Arc::default(),
        };
        Plugin::probe(callee, manifest, digest, component)
    }
}
