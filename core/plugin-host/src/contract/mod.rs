//! The contract as guests see it, one module per major version. wasmtime's linker resolves `0.1.3` to `0.1`.

pub(crate) mod v0_1;
