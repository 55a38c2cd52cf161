//! Hollow WASI, for guests of languages whose runtimes cannot live without it: live clocks and random, standard output
//! and error into the plugin's log, and nothing else. No file, no socket, no environment, no argument. Who waits there
//! (`wasi:io/poll`) waits no longer than his call may take.

use crate::context::Context;
use davit_model::services::LogLevel;
use std::fmt;
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::{
    WasiCtx, WasiCtxView, WasiView,
    p2::{
        DynPollable,
        bindings::io::poll::{self, Host, HostPollable},
        pipe::MemoryOutputPipe,
    },
};

const MAX_STREAM: usize = 64 << 10;
/// Random bytes that are made at a time: they are made in the host's memory.
const MAX_RANDOM: u64 = 64 << 10;

/// Links it.
pub(crate) fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    // In the place of the one that would wait for ever: the rest of WASI here answers at once.
    linker.allow_shadowing(true);
    poll::add_to_linker::<Context, WithinTheCall>(linker, waiting)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn waiting(context: &mut Context) -> Waiting<'_> {
    Waiting(context)
}

struct WithinTheCall;

impl HasData for WithinTheCall {
    type Data<'a> = Waiting<'a>;
}

/// Waiting, ended by the call's end.
struct Waiting<'a>(&'a mut Context);

impl Host for Waiting<'_> {
    async fn poll(&mut self, of: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        self.0.enter()?;
        let control = self.0.control();
        control.wait(Host::poll(self.0.table(), of)).await?
    }
}

impl HostPollable for Waiting<'_> {
    async fn block(&mut self, on: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.0.enter()?;
        let control = self.0.control();
        control.wait(HostPollable::block(self.0.table(), on)).await?
    }

    async fn ready(&mut self, what: Resource<DynPollable>) -> wasmtime::Result<bool> {
        self.0.enter()?;
        HostPollable::ready(self.0.table(), what).await
    }

    fn drop(&mut self, what: Resource<DynPollable>) -> wasmtime::Result<()> {
        HostPollable::drop(self.0.table(), what)
    }
}

/// One call's WASI; made when the guest first asks for it.
#[derive(Default)]
pub(crate) struct HollowWasi {
    made: Option<Made>,
}

struct Made {
    context: WasiCtx,
    out: MemoryOutputPipe,
    err: MemoryOutputPipe,
}

impl fmt::Debug for HollowWasi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HollowWasi").field("used", &self.made.is_some()).finish()
    }
}

impl HollowWasi {
    /// What the guest wrote to its standard streams, line by line.
    pub(crate) fn lines(&self) -> Vec<(LogLevel, String)> {
        let Some(made) = &self.made else { return Vec::new() };
        let mut lines = Vec::new();
        for (level, pipe) in [(LogLevel::Info, &made.out), (LogLevel::Warn, &made.err)] {
            let text = String::from_utf8_lossy(&pipe.contents()).into_owned();
            lines.extend(text.lines().map(|line| (level, line.to_owned())));
        }
        lines
    }
}

impl WasiView for Context {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (hollow, table) = self.wasi();
        let made = hollow.made.get_or_insert_with(|| {
            let (out, err) = (MemoryOutputPipe::new(MAX_STREAM), MemoryOutputPipe::new(MAX_STREAM));
            let mut context = WasiCtx::builder();
            context.stdout(out.clone()).stderr(err.clone()).max_random_size(MAX_RANDOM);
            let context = context.build();
            Made { context, out, err }
        });
        WasiCtxView { ctx: &mut made.context, table }
    }
}
