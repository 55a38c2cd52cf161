//! What clients see: the engine's records in the words of the API. Pure translation, no I/O.

pub(crate) mod container;
pub(crate) mod event;
pub(crate) mod host_config;
pub(crate) mod image;
pub(crate) mod info;
pub(crate) mod network;
pub(crate) mod plugin;
pub(crate) mod settings;
pub(crate) mod stats;
pub(crate) mod summary;
#[cfg(test)]
mod tests;
pub(crate) mod time;
pub(crate) mod volume;
