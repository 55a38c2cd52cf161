//! Which address an endpoint gets.

use super::{LeaseKind, State};
use crate::address::gateway;
use davit_model::{
    error::PolicyError,
    network::{AddressLease, Subnet},
};
use ipnet::IpNet;
use std::net::IpAddr;

/// The first place in a subnet after its own address and its gateway.
const FIRST: u128 = 2;

pub(super) fn choose(
    state: &mut State,
    subnet: &Subnet,
    wanted: Option<IpAddr>,
) -> Result<(LeaseKind, String, AddressLease), PolicyError> {
    let net = subnet.net.trunc();
    let free = |state: &State, address: IpAddr| !state.held.contains_key(&(LeaseKind::Address, address.to_string()));
    let last = last(&net);
    let address = match wanted {
        Some(address) => {
            if !net.contains(&address) {
                return Err(PolicyError::Invalid(format!("address {address} is not in subnet {net}")));
            }
            if !(FIRST..=last).contains(&offset(&net, address)) {
                return Err(PolicyError::Invalid(format!("address {address} of {net} is the network's own")));
            }
            if !free(state, address) {
                return Err(PolicyError::Conflict(format!("address {address} is in use")));
            }
            address
        }
        None => {
            let start = state.cursor.get(&net).copied().unwrap_or(FIRST);
            let places = last.saturating_sub(FIRST).saturating_add(1);
            // One more place than there are leases is free, if any is.
            let tries = u128::try_from(state.held.len()).unwrap_or(u128::MAX).saturating_add(1).min(places);
            let found = (0..tries).map(|step| FIRST + (start - FIRST + step) % places).find_map(|place| {
                let address = at(&net, place);
                free(state, address).then_some((place, address))
            });
            let Some((place, address)) = found else {
                return Err(PolicyError::Conflict(format!("subnet {net} has no free address")));
            };
            state.cursor.insert(net, if place >= last { FIRST } else { place + 1 });
            address
        }
    };
    let with_prefix = IpNet::new(address, net.prefix_len()).unwrap_or_else(|_| IpNet::from(address));
    let lease = AddressLease { subnet: subnet.id, address: with_prefix, gateway: gateway(&net) };
    Ok((LeaseKind::Address, address.to_string(), lease))
}

/// The last place that an endpoint may have: IPv4's last address is the broadcast.
fn last(net: &IpNet) -> u128 {
    let bits = u32::from(net.max_prefix_len() - net.prefix_len());
    let size = 1_u128.checked_shl(bits).unwrap_or(u128::MAX);
    match net {
        IpNet::V4(_) => size.saturating_sub(2),
        IpNet::V6(_) => size.saturating_sub(1),
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn offset(net: &IpNet, address: IpAddr) -> u128 {
    number(address).saturating_sub(number(net.network()))
}

fn at(net: &IpNet, place: u128) -> IpAddr {
    let number = number(net.network()).saturating_add(place);
    match net {
        IpNet::V4(_) => IpAddr::V4(u32::try_from(number).unwrap_or(u32::MAX).into()),
        IpNet::V6(_) => IpAddr::V6(number.into()),
    }
}
