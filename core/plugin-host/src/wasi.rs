//! Hollow WASI, for guests of languages whose runtimes cannot live without it: live clocks and random, standard output
//! and error into the plugin's log, and nothing else. No file, no socket, no environment, no argument.

use crate::context::Context;
use davit_model::services::LogLevel;
use std::fmt;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, p2::pipe::MemoryOutputPipe};

const MAX_STREAM: usize = 64 << 10;

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
            let context = WasiCtx::builder().stdout(out.clone()).stderr(err.clone()).build();
            Made { context, out, err }
        });
        WasiCtxView { ctx: &mut made.context, table }
    }
}
