//! Endpoints: their plan, with what is leased for it.

use super::{Link, MAX_ITEMS, NetworkView, Port, Subnet, invalid, parse, plan::Ports, room};
use crate::mock::{
    site::right,
    subnets::{Net, NoLease},
    types::Error,
};
use std::{cell::RefCell, net::IpAddr, rc::Rc};

const MAX_NAME: usize = 253;
/// Where the ports begin that the host gives away (IANA: dynamic ports).
const DYNAMIC_PORTS: u16 = 49_153;

/// What an endpoint hangs on, as it was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the arguments of the methods of the same names")]
pub enum Attachment {
    /// Nothing but loopback.
    #[default]
    None,
    /// `veth`, on the network's link of this number.
    Veth { master: usize },
    /// `macvlan`
    Macvlan { parent: String, mode: String },
    /// `share-host`
    ShareHost,
}

/// An endpoint, as it was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connected {
    /// What it hangs on.
    pub attachment: Attachment,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Its routes: where to, and by way of whom.
    pub routes: Vec<(String, Option<String>)>,
    /// Settings under `net.`.
    pub sysctls: Vec<(String, String)>,
    /// Ports: the container's, and the host's that was leased.
    pub ports: Vec<(Port, u16)>,
    /// Names that resolve to its addresses.
    pub names: Vec<String>,
    /// The MTU of its link.
    pub mtu: Option<u32>,
}

/// What an endpoint would be made of.
#[derive(Debug)]
pub struct EndpointPlan {
    said: RefCell<Connected>,
    ports: Rc<Ports>,
}

impl EndpointPlan {
    /// Of an endpoint on this network; nothing is said yet.
    pub fn on(network: &NetworkView) -> Self {
        Self { said: RefCell::default(), ports: network.ports() }
    }

    /// What was recorded.
    pub fn recorded(&self) -> Connected {
        self.said.borrow().clone()
    }

    fn attach(&self, to: Attachment) -> Result<(), Error> {
        let attachment = &mut self.said.borrow_mut().attachment;
        if *attachment != Attachment::None {
            return Err(invalid("an endpoint hangs on one thing, and one was said already"));
        }
        *attachment = to;
        Ok(())
    }

    /// A veth pair.
    ///
    /// # Errors
    /// `invalid` for a second attachment.
    pub fn veth(&self, master: &Link) -> Result<(), Error> {
        self.attach(Attachment::Veth { master: master.number() })
    }

    /// A macvlan on a host interface.
    ///
    /// # Errors
    /// `denied`, `unsupported` for another mode, `invalid` for a second attachment.
    pub fn macvlan(&self, parent: &str, mode: &str) -> Result<(), Error> {
        right("interfaces", &format!("interface {parent:?}"))?;
        if !["bridge", "private", "vepa", "passthru"].contains(&mode) {
            return Err(Error::Unsupported(format!("macvlan mode {mode:?}")));
        }
        self.attach(Attachment::Macvlan { parent: parent.to_owned(), mode: mode.to_owned() })
    }

    /// The host's own network namespace.
    ///
    /// # Errors
    /// `denied`, `invalid` for a second attachment.
    pub fn share_host(&self) -> Result<(), Error> {
        right("host-network", "the host's network namespace")?;
        self.attach(Attachment::ShareHost)
    }

    /// Leases an address.
    ///
    /// # Errors
    /// `conflict`, `invalid`, `internal` past 256 of them.
    pub fn lease(&self, subnet: &Subnet, wanted: Option<&str>) -> Result<String, Error> {
        let wanted = wanted.map(|wanted| parse::<IpAddr>(wanted, "an address")).transpose()?;
        let addresses = &mut self.said.borrow_mut().addresses;
        room(addresses.len(), MAX_ITEMS, "addresses")?;
        let shown = wanted.map(|address| address.to_string()).unwrap_or_default();
        let address = subnet.lease(wanted).map_err(|why| match why {
            NoLease::Outside => invalid(format!("address {shown} is not in subnet {}", subnet.cidr())),
            NoLease::Taken => Error::Conflict(format!("address {shown} is in use")),
            NoLease::Full => Error::Conflict(format!("subnet {} has no free address", subnet.cidr())),
        })?;
        addresses.push(address.to_string());
        Ok(address.to_string())
    }

    /// A route inside the container.
    ///
    /// # Errors
    /// `invalid`, `internal` past 256 of them.
    pub fn route(&self, dst: &str, via: Option<&str>) -> Result<(), Error> {
        let dst = parse::<Net>(dst, "a destination such as 0.0.0.0/0")?.to_string();
        let via = via.map(|via| parse::<IpAddr>(via, "an address")).transpose()?;
        let routes = &mut self.said.borrow_mut().routes;
        room(routes.len(), MAX_ITEMS, "routes")?;
        routes.push((dst, via.map(|via| via.to_string())));
        Ok(())
    }

    /// A setting under `net.`.
    ///
    /// # Errors
    /// `denied` for others, `internal` past 256 of them.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<(), Error> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if !key.starts_with("net.") || !key.bytes().all(plain) || key.contains("..") {
            return Err(Error::Denied(format!("sysctl {key:?} is not one of net.")));
        }
        let sysctls = &mut self.said.borrow_mut().sysctls;
        room(sysctls.len(), MAX_ITEMS, "sysctls")?;
        sysctls.retain(|(name, _)| name != key);
        sysctls.push((key.to_owned(), value.to_owned()));
        sysctls.sort();
        Ok(())
    }

    /// Publishes a port.
    ///
    /// # Errors
    /// `invalid`, `conflict` where it is taken on this network, `internal` past 256 of them.
    pub fn publish(&self, port: &Port) -> Result<u16, Error> {
        if port.inside() == 0 {
            return Err(invalid("port 0 of a container cannot be published"));
        }
        let ports = &mut self.said.borrow_mut().ports;
        room(ports.len(), MAX_ITEMS, "ports")?;
        let mut taken = self.ports.borrow_mut();
        let key = |outside: u16| (port.protocol(), outside);
        let outside = match port.outside() {
            Some(outside) if taken.contains(&key(outside)) => {
                return Err(Error::Conflict(format!(
                    "port {outside}/{} is published for another container",
                    port.protocol()
                )));
            }
            Some(outside) => outside,
            None => {
                let free = (DYNAMIC_PORTS..=u16::MAX).find(|outside| !taken.contains(&key(*outside)));
                free.ok_or_else(|| Error::Conflict(format!("no {} port of the host is free", port.protocol())))?
            }
        };
        taken.insert(key(outside));
        ports.push((port.clone(), outside));
        Ok(outside)
    }

    /// A name that resolves to the endpoint's addresses.
    ///
    /// # Errors
    /// `invalid`, `internal` past 256 of them.
    pub fn record_name(&self, name: &str) -> Result<(), Error> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain) {
            return Err(invalid(format!("{:?} is not a host name", name.chars().take(80).collect::<String>())));
        }
        let names = &mut self.said.borrow_mut().names;
        room(names.len(), MAX_ITEMS, "names")?;
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
        Ok(())
    }

    /// MTU of the endpoint's link.
    ///
    /// # Errors
    /// `invalid`.
    pub fn mtu(&self, bytes: u32) -> Result<(), Error> {
        if !(68..=65_535).contains(&bytes) {
            return Err(invalid(format!("an MTU is 68 to 65535, not {bytes}")));
        }
        self.said.borrow_mut().mtu = Some(bytes);
        Ok(())
    }
}
