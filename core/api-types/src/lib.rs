//! The words on the wire: what a client and the daemon say to each other. No I/O, no HTTP, no terminal.
//!
//! The Docker Engine API comes from its own swagger file, as [`models`] (every field optional, Docker's names).
//! What the swagger lacks is written here: [`progress`] (the JSON lines of pull and push), [`stream`] (the frames of
//! attach, logs and exec), [`auth`] (the `X-Registry-Auth` header), [`failure`] (the error body), and [`v1`] (what
//! `/davit/v1` adds: plugins and reload).

pub mod auth;
pub mod failure;
pub mod progress;
pub mod stream;
pub mod v1;

/// The Docker Engine API's own types, generated from its swagger file (crate `bollard-stubs`).
///
/// Times are RFC 3339 texts. `exposed_ports` and `volumes` are lists here and objects with empty values on the wire.
pub use bollard_stubs::models;

/// The API version that the daemon advertises. At 1.52 clients lose fields that many of them still read.
pub const API_VERSION: &str = "1.51";
/// The oldest API version that the daemon answers.
pub const MIN_API_VERSION: &str = "1.24";
/// Where a client finds the daemon when nothing else is said.
pub const DEFAULT_SOCKET: &str = "/run/davit/davit.sock";
/// The key in `HostConfig.StorageOpt` that names a container's storage driver, by its name in the site's file.
/// Docker's API has no field for it; every Docker client can send this as `--storage-opt driver=NAME`.
pub const STORAGE_DRIVER_OPTION: &str = "driver";
