//! The contract as guests see it, one module per major version. wasmtime's linker resolves `0.1.3` to `0.1`.

pub(crate) mod v0_1;

#[cfg(feature = "pretended-next")]
pub(crate) mod pretended;

use crate::context::Context;
use wasmtime::component::Linker;

/// Links every version that this host serves.
pub(crate) fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    v0_1::add_to_linker(linker)?;
    #[cfg(feature = "pretended-next")]
    pretended::add_to_linker(linker)?;
    Ok(())
}
