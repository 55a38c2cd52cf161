//! Lifecycle policy: any of five hooks around a container's life. See `wit/lifecycle`.

pub use crate::imported::lifecycle::{Adjustment, Event, Operation};
pub use crate::{Error, Result};
#[cfg(target_arch = "wasm32")]
use std::marker::PhantomData;

/// Changes requests before they are admitted.
pub trait Mutate: 'static {
    /// Records what to change.
    fn mutate(operation: &Operation, adjustment: &Adjustment) -> Result<()>;
}

/// Permits or refuses.
pub trait Admit: 'static {
    /// Ok permits, [`Error::Denied`] refuses.
    fn admit(operation: &Operation) -> Result<()>;
}

/// Waits in front of a start.
pub trait BeforeStart: 'static {
    /// An error stops the start.
    fn before_start(operation: &Operation) -> Result<()>;
}

/// Comes after an end.
pub trait AfterExit: 'static {
    /// The container ended with `status`.
    fn after_exit(operation: &Operation, status: i32) -> Result<()>;
}

/// Sees events.
pub trait Observe: 'static {
    /// One event.
    fn observe(event: &Event) -> Result<()>;
}

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
#[derive(Debug)]
pub struct Adapter<T>(PhantomData<T>);

#[cfg(target_arch = "wasm32")]
mod adapt {
    use super::{Adapter, Adjustment, Admit, AfterExit, BeforeStart, Event, Mutate, Observe, Operation, Result};
    use crate::bindings::exports;

    impl<T: Mutate> exports::mutate::exports::davit::lifecycle::mutate::Guest for Adapter<T> {
        fn mutate(operation: Operation, adjustment: Adjustment) -> Result<()> {
            T::mutate(&operation, &adjustment)
        }
    }

    impl<T: Admit> exports::admit::exports::davit::lifecycle::admit::Guest for Adapter<T> {
        fn admit(operation: Operation) -> Result<()> {
            T::admit(&operation)
        }
    }

    impl<T: BeforeStart> exports::before_start::exports::davit::lifecycle::before_start::Guest for Adapter<T> {
        fn before_start(operation: Operation) -> Result<()> {
            T::before_start(&operation)
        }
    }

    impl<T: AfterExit> exports::after_exit::exports::davit::lifecycle::after_exit::Guest for Adapter<T> {
        fn after_exit(operation: Operation, status: i32) -> Result<()> {
            T::after_exit(&operation, status)
        }
    }

    impl<T: Observe> exports::observe::exports::davit::lifecycle::observe::Guest for Adapter<T> {
        fn observe(event: Event) -> Result<()> {
            T::observe(&event)
        }
    }
}
