//! What a plugin imports: on WebAssembly the bindings, everywhere else the mock host, under the same names.

#[cfg(target_arch = "wasm32")]
mod from {
    pub use crate::bindings::imports::davit::host::{clock, config, http, secrets, state};
    pub(crate) use crate::bindings::imports::davit::{
        host::log, lifecycle::host as lifecycle, network::host as network, registry_auth::host as auth,
        storage::host as storage, types::types,
    };
}
#[cfg(not(target_arch = "wasm32"))]
mod from {
    pub(crate) use crate::mock::{auth, lifecycle, log, network, storage, types};
    pub use crate::mock::{clock, config, http, secrets, state};
}

pub(crate) use from::{auth, lifecycle, log, network, storage, types};
pub use from::{clock, config, http, secrets, state};
