//! Networks made real and unreal: links, addresses, routes, nftables, and the leases behind them.
//!
//! Knows plans ([`davit_model::network`]), not who made them. A walk through it:
//! 1. [`LeaseBook`] answers a driver that plans: subnets, addresses, ports, each with an owner, over a [`LeaseStore`];
//! 2. [`check`] holds a plan against grants and limits;
//! 3. [`Host`] makes a network ([`Host::apply_network`]: bridge, uplink, forwarding, its place in the table) and an
//!    endpoint ([`Host::apply_endpoint`]: veth, addresses, routes, settings, ports) and undoes both;
//! 4. [`Netns`] and [`Pool`] are the containers' namespaces;
//! 5. [`Host::reconcile`] brings a host in line with the records after a crash.
//!
//! All names of kernel objects follow from ids and the [`Instance`] tag, so undoing needs no memory of what was made.
//! Everything that speaks to the kernel blocks; an answer has a deadline. No program is executed.

mod address;
mod bridge;
mod channel;
pub mod check;
mod endpoint;
mod error;
mod fault;
mod flow;
mod host;
mod instance;
mod leases;
mod link;
mod macvlan;
mod netns;
mod network;
mod nft;
mod probe;
mod reconcile;
mod route;
mod sysctl;
mod veth;
mod vlan;
mod vxlan;
mod wire;

pub use address::{gateway, mac};
pub use check::Grants;
pub use endpoint::{EndpointState, Place};
pub use error::{NetError, Result};
pub use host::{Facts, Host, Surroundings};
pub use instance::Instance;
pub use leases::{Lease, LeaseBook, LeaseKind, LeaseStore, MemoryLeases, NetworkLeases, Pools};
pub use netns::{Netns, Pool};
pub use reconcile::{KnownEndpoint, KnownNetwork, Reconciled};

use fault::fault;
