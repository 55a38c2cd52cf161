//! Storage drivers: where layers are kept and what a container's root is made of. See `wit/storage`.

pub use crate::imported::storage::{Facts, Layer, Root, Steps, Unpack};
pub use crate::{Error, Result};
#[cfg(target_arch = "wasm32")]
use std::marker::PhantomData;

/// A storage driver. The same request must give the same plan.
pub trait StorageDriver: 'static {
    /// Whether the driver can work here.
    fn probe(facts: &Facts) -> Result<()>;
    /// How `layer` is to be written.
    fn prepare_layer(layer: &Layer, steps: &Steps, unpack: &Unpack) -> Result<()>;
    /// The layer is unpacked: makes it final and answers its place.
    fn commit_layer(layer: &Layer, steps: &Steps) -> Result<String>;
    /// What the root of a container is made of.
    fn prepare_root(id: &str, top: Option<&Layer>, steps: &Steps, root: &Root) -> Result<()>;
    /// The changes of a container become a layer.
    fn promote(id: &str, layer: &Layer, steps: &Steps) -> Result<String>;
    /// How a layer that nothing uses is removed.
    fn remove_layer(layer: &Layer, steps: &Steps) -> Result<()>;
}

/// Optional: how big layers are.
pub trait Usage: 'static {
    /// Bytes that `layer` alone takes; none: the core counts.
    fn usage(layer: &Layer) -> Result<Option<u64>>;
}

/// Optional: which names of the area are the driver's own bookkeeping.
pub trait Reconcile: 'static {
    /// Those of `unknown` that must stay.
    fn reconcile(unknown: &[String]) -> Result<Vec<String>>;
}

/// Optional: something is gone for good.
pub trait Released: 'static {
    /// `kind` is `layer` or `root`.
    fn released(kind: &str, id: &str) -> Result<()>;
}

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
#[derive(Debug)]
pub struct Adapter<T>(PhantomData<T>);

#[cfg(target_arch = "wasm32")]
mod adapt {
    use super::{Adapter, Facts, Layer, Reconcile, Released, Result, Root, Steps, StorageDriver, Unpack, Usage};
    use crate::bindings::exports;

    impl<T: StorageDriver> exports::storage_driver::exports::davit::storage::driver::Guest for Adapter<T> {
        fn probe(facts: Facts) -> Result<()> {
            T::probe(&facts)
        }
        fn prepare_layer(layer: Layer, steps: Steps, unpack: Unpack) -> Result<()> {
            T::prepare_layer(&layer, &steps, &unpack)
        }
        fn commit_layer(layer: Layer, steps: Steps) -> Result<String> {
            T::commit_layer(&layer, &steps)
        }
        fn prepare_root(id: String, top: Option<Layer>, steps: Steps, root: Root) -> Result<()> {
            T::prepare_root(&id, top.as_ref(), &steps, &root)
        }
        fn promote(id: String, layer: Layer, steps: Steps) -> Result<String> {
            T::promote(&id, &layer, &steps)
        }
        fn remove_layer(layer: Layer, steps: Steps) -> Result<()> {
            T::remove_layer(&layer, &steps)
        }
    }

    impl<T: Usage> exports::storage_usage::exports::davit::storage::usage::Guest for Adapter<T> {
        fn usage(layer: Layer) -> Result<Option<u64>> {
            T::usage(&layer)
        }
    }

    impl<T: Reconcile> exports::storage_reconcile::exports::davit::storage::reconcile::Guest for Adapter<T> {
        fn reconcile(unknown: Vec<String>) -> Result<Vec<String>> {
            T::reconcile(&unknown)
        }
    }

    impl<T: Released> exports::storage_released::exports::davit::storage::released::Guest for Adapter<T> {
        fn released(kind: String, id: String) -> Result<()> {
            T::released(&kind, &id)
        }
    }
}
