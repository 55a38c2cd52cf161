//! Which port of the host a published port gets.

use super::{LeaseKind, State};
use crate::{error::NetError, host::Surroundings, nft::port::protocol};
use davit_model::{error::PolicyError, network::PortRequest};
use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
};

/// The kernel's own range for ports that nobody asked for by number.
const EPHEMERAL: RangeInclusive<u16> = 32768..=60999;

pub(super) fn choose(
    state: &mut State,
    surroundings: &dyn Surroundings,
    request: &PortRequest,
) -> Result<(LeaseKind, String, u16), PolicyError> {
    protocol(&request.protocol).map_err(|error| PolicyError::from(&error))?;
    if request.inside == 0 {
        return Err(PolicyError::Invalid("port 0 of a container cannot be published".into()));
    }
    let port = match request.outside {
        Some(port) if port > 0 => {
            if taken(state, request, port) {
                // Docker's words: people and programs look for them.
                let place = SocketAddr::new(request.address.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port);
                return Err(PolicyError::Conflict(format!("Bind for {place} failed: port is already allocated")));
            }
            surroundings.probe(request, port).map_err(|error| PolicyError::from(&error))?;
            port
        }
        _ => free(state, surroundings, request)?,
    };
    Ok((LeaseKind::Port, key(&request.protocol, port, request.address), port))
}

fn free(state: &State, surroundings: &dyn Surroundings, request: &PortRequest) -> Result<u16, PolicyError> {
    let span = u64::from(EPHEMERAL.end() - EPHEMERAL.start()) + 1;
    let start = RandomState::new().build_hasher().finish();
    for step in 0..span {
        let place = u16::try_from(start.wrapping_add(step) % span).unwrap_or(0);
        let port = EPHEMERAL.start() + place;
        if taken(state, request, port) {
            continue;
        }
        match surroundings.probe(request, port) {
            Ok(()) => return Ok(port),
            Err(NetError::Conflict(_)) => {}
            Err(error) => return Err(PolicyError::from(&error)),
        }
    }
    Err(PolicyError::Conflict(format!("no {} port of the host is free", request.protocol)))
}

/// A port is taken where a lease has it at the same address, or either is for all addresses of its family.
fn taken(state: &State, request: &PortRequest, port: u16) -> bool {
    let prefix = format!("{}/{port}/", request.protocol);
    let wanted = request.address;
    state
        .held
        .range((LeaseKind::Port, prefix.clone())..)
        .take_while(|((kind, key), _)| *kind == LeaseKind::Port && key.starts_with(&prefix))
        .any(|((_, key), _)| {
            // What is not an address stands for all of them.
            let held: Option<IpAddr> = key.strip_prefix(&prefix).and_then(|rest| rest.parse().ok());
            match (held, wanted) {
                (Some(held), Some(wanted)) => {
                    held == wanted
                        || held.is_ipv4() == wanted.is_ipv4() && (held.is_unspecified() || wanted.is_unspecified())
                }
                _ => true,
            }
        })
}

fn key(protocol: &str, port: u16, address: Option<IpAddr>) -> String {
    address.map_or_else(|| format!("{protocol}/{port}/*"), |address| format!("{protocol}/{port}/{address}"))
}
