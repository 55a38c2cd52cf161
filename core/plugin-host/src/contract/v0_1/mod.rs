//! Version 0.1 of the contract: what a guest may call, and how its answers are turned into the model's words.
//!
//! `bindings` is generated from `wit/`; every other file fills one interface of it. Each host function begins with
//! [`Context::enter`], which traps once the call's deadline has passed; grants are checked here, never in a guest.
#![allow(unreachable_pub, reason = "the generated bindings publish the types that stand behind handles")]

mod basics;
pub(crate) mod bindings;
pub(crate) mod http;
pub(crate) mod lifecycle;
pub(crate) mod network;
mod refusal;
pub(crate) mod registry_auth;
pub(crate) mod secrets;
mod state;
pub(crate) mod storage;

pub(crate) use bindings::davit::types::types::Error as GuestError;
pub(crate) use refusal::{Refusal, shown};

use crate::context::Context;
use wasmtime::component::{HasSelf, Linker};

/// Links all that a guest may import. Interfaces that a plugin was not granted are linked too: they answer `denied`.
pub(crate) fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    use bindings::davit::{host, lifecycle, network, registry_auth, storage, types};
    types::types::add_to_linker::<_, HasSelf<_>>(linker, |c| c)?;
    host::log::add_to_linker::<_, HasSelf<_>>(linker, |c| c)?;
    host::clock::add_to_linker::<_, HasSelf<_>>(linker, |c| c)?;
    host::config::add_to_linker::<_, HasSelf<_>>(linker, |c| c)?;
    host::state::add_to_linker::<_, HasSelf<_>>(linker, |c| c)?;
    host::secrets::add_to_linker::<_, HasSelf<_>>(linker, |c| c)?;
    host::http::add_to_linker::<_, HasSelf<_>>(linker, |c| c)?;
    storage::host::add_to_linker::<_, HasSelf<_>>(linker, |c| c)?;
    network::host::add_to_linker::<_, HasSelf<_>>(linker, |c| c)?;
    registry_auth::host::add_to_linker::<_, HasSelf<_>>(linker, |c| c)?;
    lifecycle::host::add_to_linker::<_, HasSelf<_>>(linker, |c| c)?;
    Ok(())
}
