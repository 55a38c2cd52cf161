//! Networks: requests to give, networks and endpoints to record. Subnets, addresses and ports are leased as the engine
//! would: of a pool that begins with `10.88.0.0/24` and `fd00:88::/64`, each address and port once on a network.

mod endpoint;
mod plan;
mod request;

use super::types::Error;
use std::str::FromStr;

pub use endpoint::{Attachment, Connected, EndpointPlan};
pub use plan::{Link, LinkKind, NetworkPlan, NetworkView, Planned, Subnet};
pub use request::{Endpoint, EndpointRequest, Network, NetworkRequest, Port};

const MAX_ITEMS: usize = 256;

fn invalid(text: impl Into<String>) -> Error {
    Error::Invalid(text.into())
}

fn room(length: usize, limit: usize, what: &str) -> Result<(), Error> {
    if length < limit { Ok(()) } else { Err(Error::Internal(format!("a plan has at most {limit} {what}"))) }
}

fn parse<T: FromStr>(text: &str, what: &str) -> Result<T, Error> {
    text.parse().map_err(|_| invalid(format!("{:?} is not {what}", text.chars().take(80).collect::<String>())))
}
