//! C: `make core.wasm` in the folder. The plugin's own Makefile finds the compiler and links in the world's type, which
//! `wit-bindgen` has put into an object file; what it makes imports no WASI.

use super::{Project, component, read, run};
use anyhow::{Context as _, Result};
use std::process::Command;

const CLANG: &str = "it wants make, and clang 14 or newer with wasi-libc (Debian 12: apt install make clang-14 lld-14 \
                     wasi-libc libclang-rt-14-dev-wasm32); another clang is named by CC";

pub(super) fn build(project: &Project) -> Result<Vec<u8>> {
    run(Command::new("make").arg("core.wasm").current_dir(&project.dir), CLANG)?;
    component(&read(&project.dir.join("core.wasm"))?, false)
        .context("a plugin in C has what davit.h and the C library without files, streams and clocks give it")
}
