//! Subnets and what is leased of them, as much as a test needs.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// An address and the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Net {
    address: IpAddr,
    prefix: u32,
}

impl FromStr for Net {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = text.split_once('/').ok_or(())?;
        let (address, prefix): (IpAddr, u32) = (address.parse().map_err(|_| ())?, prefix.parse().map_err(|_| ())?);
        if prefix > bits(address) { Err(()) } else { Ok(Self { address, prefix }) }
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl Net {
    /// The one that the pool gives as its `n`th.
    pub(super) fn of_pool(n: u8, v6: bool) -> Self {
        let n16 = u16::from(n);
        match v6 {
            true => Self { address: Ipv6Addr::new(0xfd00, 0x88, n16, 0, 0, 0, 0, 0).into(), prefix: 64 },
            false => Self { address: Ipv4Addr::new(10, 88, n, 0).into(), prefix: 24 },
        }
    }

    pub(super) fn v6(&self) -> bool {
        self.address.is_ipv6()
    }

    /// How many addresses follow its first.
    fn span(&self) -> u128 {
        let free = bits(self.address) - self.prefix;
        if free >= 128 { u128::MAX } else { (1 << free) - 1 }
    }

    fn first(&self) -> u128 {
        number(self.address) & !self.span()
    }

    fn nth(&self, n: u128) -> IpAddr {
        let address = self.first().saturating_add(n);
        match u32::try_from(address) {
            Ok(v4) if !self.v6() => IpAddr::V4(v4.into()),
            _ => IpAddr::V6(address.into()),
        }
    }

    /// The first host address.
    pub(super) fn gateway(&self) -> IpAddr {
        self.nth(1)
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv6() == self.v6() && number(address) & !self.span() == self.first()
    }

    /// Whether they have addresses in common.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.nth(0)) || other.contains(self.nth(0))
    }

    /// Whether an endpoint may have the address: not the network's own, its gateway's or its broadcast address.
    fn for_endpoints(&self, address: IpAddr) -> bool {
        let at = number(address).checked_sub(self.first());
        self.contains(address) && at.is_some_and(|at| at > 1 && (self.v6() || at != self.span()))
    }
}

/// Why an address is not leased.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoLease {
    /// It is not one of the subnet's for endpoints.
    Outside,
    /// Somebody has it.
    Taken,
    /// None is free.
    Full,
}

/// What endpoints have of one subnet.
#[derive(Debug, Default)]
pub(super) struct Leases(RefCell<BTreeSet<IpAddr>>);

impl Leases {
    /// The address that is wanted, or the first that is free.
    pub(super) fn lease(&self, net: &Net, wanted: Option<IpAddr>) -> Result<IpAddr, NoLease> {
        let mut taken = self.0.borrow_mut();
        let address = match wanted {
            Some(address) if !net.contains(address) || !net.for_endpoints(address) => return Err(NoLease::Outside),
            Some(address) if taken.contains(&address) => return Err(NoLease::Taken),
            Some(address) => address,
            None => {
                let mut free = (2..=net.span()).map(|n| net.nth(n));
                let free = free.find(|address| net.for_endpoints(*address) && !taken.contains(address));
                free.ok_or(NoLease::Full)?
            }
        };
        taken.insert(address);
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Net {
        text.parse().unwrap()
    }

    #[test]
    fn a_subnet_is_read_and_written() {
        for text in ["10.1.0.0/24", "fd00::/64", "0.0.0.0/0", "::/0"] {
            assert_eq!(net(text).to_string(), text);
        }
        for bad in ["10.1.0.0", "10.1.0.0/33", "fd00::/129", "x/8", "10.1.0.0/"] {
            assert!(bad.parse::<Net>().is_err(), "{bad}");
        }
        assert_eq!(net("10.1.0.0/24").gateway().to_string(), "10.1.0.1");
        assert_eq!(net("fd00::/64").gateway().to_string(), "fd00::1");
        assert!(net("10.0.0.0/8").overlaps(&net("10.1.0.0/24")) && net("10.1.0.0/24").overlaps(&net("10.0.0.0/8")));
        assert!(!net("10.1.0.0/24").overlaps(&net("10.1.1.0/24")) && !net("10.0.0.0/8").overlaps(&net("fd00::/8")));
    }

    #[test]
    fn addresses_are_leased_once() {
        let (subnet, leases) = (net("10.1.0.0/29"), Leases::default());
        let wanted = |text: &str| leases.lease(&subnet, Some(text.parse().unwrap()));
        assert_eq!(leases.lease(&subnet, None), Ok("10.1.0.2".parse().unwrap()));
        assert_eq!(wanted("10.1.0.2"), Err(NoLease::Taken));
        for outside in ["10.1.0.0", "10.1.0.1", "10.1.0.7", "10.2.0.3", "fd00::3"] {
            assert_eq!(wanted(outside), Err(NoLease::Outside), "{outside}");
        }
        assert_eq!(wanted("10.1.0.4"), Ok("10.1.0.4".parse().unwrap()));
        let rest: Vec<_> = std::iter::from_fn(|| leases.lease(&subnet, None).ok()).map(|a| a.to_string()).collect();
        assert_eq!(rest, ["10.1.0.3", "10.1.0.5", "10.1.0.6"]);
        assert_eq!(leases.lease(&subnet, None), Err(NoLease::Full));
    }
}
