//! The resolver of container names: one process, one thread, for all networks (`davit-runtime names`).
//!
//! A walk: the engine writes a [`Zone`] for each network; [`serve`] watches the folder, listens on each zone's gateways
//! (UDP and TCP, port 53, before the address is there if need be) and answers. `answer` decides what one question gets:
//! names and addresses of the zone at once, all else is forwarded. `forward` asks upstream servers, each time from a
//! fresh socket and so a fresh port, with a random id, and takes only the answer to the question that was asked. `stream` keeps
//! DNS over TCP. Every wait has a deadline, every queue a bound; nothing is kept that a restart would miss.
//!
//! A question that came by TCP is forwarded by TCP, so an upstream answer too long for UDP reaches the client when it asks
//! again as the protocol says. Our own addresses are never asked.

pub mod answer;
mod forward;
mod listen;
mod serve;
mod single;
mod stream;
pub mod zone;

pub use serve::{NamesError, Server, serve};
pub use single::holder;
pub use zone::Zone;

#[cfg(test)]
mod tests;
