//! What a new container shall be: the flags that `run` and `create` share ([`flags`]), and the request that they make
//! ([`body`]). One file for each small language within a flag.

mod body;
mod device;
mod environment;
mod flags;
mod mount;
mod network;
mod port;

pub(crate) use body::body;
pub(crate) use device::restart as restart_policy;
pub(crate) use environment::environment;
pub(crate) use flags::{Pull, Spec};
