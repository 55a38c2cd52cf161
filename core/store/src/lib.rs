//! Blobs, layers, images and containers' roots on disk, and the database that knows them. Knows no registry, no
//! container and no plugin: drivers answer through `davit_model::storage::StorageDriver`.
//!
//! The API in ten lines:
//! 1. [`Store::open`]`(data_root)`, then [`Store::recover`]`()` once: half-done work of a killed daemon is undone.
//! 2. [`Store::db`] → [`Db::write`], [`Db::read`], [`Db::migrate`]`(Component)`; [`Store::journal`] → [`SqlJournal`].
//! 3. [`Store::lease`]`("pull …")` → [`Lease`] keeps what follows from collection; [`Lease::release`] at the end.
//! 4. [`Store::write_blob`]`(&lease, digest, size)` → none (there already) or a [`BlobWriter`]: `offset`, `write`,
//!    `follow` (a reader that runs along), `finish`; [`Store::put_blob`], [`Store::blob_bytes`], [`Blobs::read`].
//! 5. [`image::Manifest::parse`], [`image::Config::parse`]: documents checked; [`chain_ids`] of their diff ids.
//! 6. [`Store::ensure_layers`]`(&driver, &lease, Vec<`[`LayerSource`]`>)`: unpacks what is missing, in parallel.
//! 7. [`Store::put_image`]`(manifest, references, …)` → [`ImageRecord`]; [`Store::images`], [`Store::resolve`],
//!    [`Store::tag`], [`Store::untag`], [`Store::remove_image`].
//! 8. [`Store::prepare_root`]`(&driver, &container, &diff_ids)` → plan, then [`Store::finish_root`]`(&container, record)`;
//!    [`Store::root`] → plan and [`Area`], to mount it; [`Store::remove_root`].
//! 9. [`Store::collect`]`(&drivers, …)`: marks from records, leases and what others hold ([`hold_in`]), sweeps the rest.
//! 10. [`Store::check`]: every blob against its digest; [`Area::facts`] for [`StorageDriver::probe`]; [`pack()`]: a tree
//!     as a layer archive.
//!
//! [`StorageDriver::probe`]: davit_model::storage::StorageDriver::probe

mod archive;
mod area;
mod blob;
mod collect;
mod copy;
pub mod db;
mod dirs;
mod error;
mod facts;
mod held;
pub mod image;
mod layer;
mod lease;
mod pack;
mod recover;
mod root;
mod steps;
mod store;
#[cfg(test)]
mod testing;
mod unpack;
mod usage;
pub mod verdict;
mod writer;

pub use area::Area;
pub use blob::{BlobFollower, BlobInfo, BlobWriter, Blobs};
pub use collect::Collected;
pub use copy::copy_tree;
pub use db::{Component, Db, DbError, Durability, SqlJournal};
pub use error::{Result, StoreError};
pub use facts::facts_at;
pub use held::hold_in;
pub use image::{ImageRecord, Removed};
pub use layer::{LayerRecord, LayerSource, chain_ids};
pub use lease::Lease;
pub use pack::pack;
pub use recover::Recovered;
pub use root::PreparedRoot;
pub use store::Store;
pub use unpack::{Limits, Options as UnpackOptions, Unpacked, unpack};
pub use usage::usage;
