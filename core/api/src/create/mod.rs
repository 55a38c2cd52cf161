//! `POST /containers/create`: from what clients send to a `ContainerSpec`.
//!
//! A walk. [`body`] is the request as it stands on the wire; every field that it does not name lands in a map of
//! leftovers. [`spec`] turns it into the model's words with [`mounts`], [`ports`], [`network`] and [`limits`];
//! [`leftover`] looks at what nobody read: empty values pass, harmless ones are named in a warning, and everything that
//! asks for isolation or a resource is refused, because ignoring it would be a lie.

mod body;
mod leftover;
mod limits;
mod mounts;
mod network;
mod ports;
mod spec;
#[cfg(test)]
mod tests;
mod update;

pub(crate) use ports::parse_key as parse_port;
pub(crate) use spec::{Asked, to_spec};
pub(crate) use update::to_update;
