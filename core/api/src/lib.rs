//! The API.
pub mod server;
mod failure;
mod frames;
mod hijack;
mod version;
