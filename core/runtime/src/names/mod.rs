//! The resolver of container names: one process for all networks.

pub mod zone;

pub use zone::Zone;
