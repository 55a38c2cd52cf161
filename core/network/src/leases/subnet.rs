//! Which subnet a network gets.

use super::{LeaseKind, State};
use crate::instance::Instance;
use davit_model::error::PolicyError;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};

/// How many subnets of a pool are looked at before it counts as used up.
const TRIES: usize = 65_536;

/// The site's pools: each a range and the prefix length of the subnets cut from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pools(Vec<(IpNet, u8)>);

impl Pools {
    /// Pools in the order in which they are used. A prefix length must be within its range's family and not shorter.
    pub fn new(pools: Vec<(IpNet, u8)>) -> Result<Self, PolicyError> {
        for (range, prefix) in &pools {
            if *prefix < range.prefix_len() || range.max_prefix_len().saturating_sub(*prefix) < 2 {
                return Err(PolicyError::Invalid(format!("pool {range} cannot be cut into subnets of /{prefix}")));
            }
        }
        Ok(Self(pools))
    }

    /// 172.30.0.0/16 in /24, and the instance's own unique local prefix (RFC 4193) in /64.
    pub fn of_instance(instance: &Instance) -> Self {
        let v4 = Ipv4Net::new_assert(Ipv4Addr::new(172, 30, 0, 0), 16);
        let bits = (0xfd_u128 << 120) | (u128::from(instance.ula_bits()) << 80);
        let v6 = Ipv6Net::new_assert(Ipv6Addr::from(bits), 48);
        Self(vec![(v4.into(), 24), (v6.into(), 64)])
    }
}

pub(super) fn choose(
    state: &mut State,
    pools: &Pools,
    busy: &[IpNet],
    wanted: Option<IpNet>,
    v6: bool,
) -> Result<(LeaseKind, String, IpNet), PolicyError> {
    let leased: Vec<IpNet> = state
        .held
        .keys()
        .filter(|(kind, _)| *kind == LeaseKind::Subnet)
        .filter_map(|(_, key)| key.parse().ok())
        .collect();
    let found = match wanted {
        Some(net) => {
            let net = net.trunc();
            if net.max_prefix_len() - net.prefix_len() < 2 {
                return Err(PolicyError::Invalid(format!("subnet {net} has no room for a gateway and a host")));
            }
            if let Some(other) = leased.iter().find(|other| overlap(other, &net)) {
                return Err(PolicyError::Conflict(format!("subnet {net} overlaps {other} of another network")));
            }
            net
        }
        None => pools
            .0
            .iter()
            .filter(|(range, _)| range.addr().is_ipv6() == v6)
            .filter_map(|(range, prefix)| range.subnets(*prefix).ok())
            .flat_map(|subnets| subnets.take(TRIES))
            .find(|net| !leased.iter().chain(busy).any(|other| overlap(other, net)))
            .ok_or_else(|| {
                let family = if v6 { "IPv6" } else { "IPv4" };
                PolicyError::Conflict(format!("no {family} subnet is left in the site's pools"))
            })?,
    };
    Ok((LeaseKind::Subnet, found.to_string(), found))
}

pub(crate) fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}
