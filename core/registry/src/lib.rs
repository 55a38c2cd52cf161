//! The OCI distribution protocol (and with it the Docker registry API v2) as a client.
//!
//! Where bytes come from and go to is not known here: a pull feeds a [`BlobSink`], a push reads a [`BlobSource`].
//! How a registry is authenticated to is not known either: each `401` goes through the port
//! [`davit_model::auth::RegistryAuth`], and what it answers is bound to the origin, scope and caller it was made for.
//!
//! A walk: [`Registry`] holds what outlives one operation (connections, answers, pinned realms); a [`Session`] says
//! who asks. [`Registry::resolve`] turns a reference into a checked [`Resolved`], [`Registry::fetch_blob`] brings a
//! blob, [`Registry::push`] sends an image. `exchange` is the one road that every request takes.

mod access;
mod asker;
mod backoff;
mod blob;
mod body;
mod challenge;
mod descriptor;
mod digester;
mod document;
mod endpoint;
mod error;
mod exchange;
mod failure;
mod options;
mod origin;
mod platform;
mod push;
mod realm;
mod registry;
mod resolve;
mod session;
mod tokens;
mod trust;
mod upload;

pub use blob::{BlobSink, Fetched};
pub use descriptor::Descriptor;
pub use document::{Document, ImageManifest, Index, MANIFEST_LIMIT};
pub use error::{Error, ErrorKind, Operation};
pub use options::{Options, Timeouts};
pub use platform::Platform;
pub use push::{BlobReader, BlobSource, PushBlob, PushState};
pub use realm::{MemoryPins, RealmPins};
pub use registry::Registry;
pub use resolve::Resolved;
pub use session::Session;
