//! Bindings generated from `wit/`: one module for all that a plugin may import, one for each interface that it may
//! export, so that a plugin's component exports exactly what its author named.

pub mod exports;
pub mod imports;
