//! The host's side: where networks are made, and what is true of it.

use crate::{
    address,
    channel::{Channel, Family},
    error::{NetError, Result},
    instance::Instance,
    link,
    nft::table,
    probe, route,
};
use davit_model::network::PortRequest;
use ipnet::IpNet;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// What makes an instance's networks real, in the network namespace of the threads that call it.
#[derive(Clone, Debug)]
pub struct Host {
    pub(crate) instance: Instance,
    pub(crate) table: String,
    /// Held while the table is made, so that two threads do not make it over one another.
    making: Arc<Mutex<()>>,
}

/// What is true of the host, for `info` and for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Interfaces that are not this instance's.
    pub interfaces: Vec<String>,
    /// Subnets that the host has addresses in or routes to, this instance's own left out.
    pub busy: Vec<IpNet>,
    /// Things that stand in the way, one sentence each.
    pub warnings: Vec<String>,
}

impl Host {
    /// Opens the host for an instance; makes nothing yet.
    pub fn open(instance: Instance) -> Result<Self> {
        Channel::open(Family::Netfilter)?;
        Ok(Self { table: instance.table(), instance, making: Arc::default() })
    }

    /// The instance's tag.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Makes the instance's table where it is not there.
    pub(crate) fn ensure_table(&self, channel: &mut Channel) -> Result<()> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        table::ensure(channel, &self.table)
    }

    /// What is true of the host now.
    ///
    /// A neighbour that drops what is forwarded by default (as Docker does in iptables' `FORWARD`) stops this
    /// instance's containers too: every base chain may drop, none can override another's drop. It is then warned of.
    pub fn facts(&self) -> Result<Facts> {
        let mut channel = Channel::open(Family::Route)?;
        let links = link::list(&mut channel)?;
        let own = |index: u32| links.iter().any(|l| l.index == index && self.instance.owns(&l.name));
        let mut busy: Vec<IpNet> = Vec::new();
        for (index, net) in address::list(&mut channel)? {
            let linklocal = matches!(net, IpNet::V6(v6) if v6.addr().is_unicast_link_local());
            if !own(index) && !linklocal {
                busy.push(net.trunc());
            }
        }
        for (index, net) in route::list(&mut channel)? {
            let linklocal = matches!(net, IpNet::V6(v6) if v6.addr().is_unicast_link_local());
            if !index.is_some_and(own) && !linklocal {
                busy.push(net);
            }
        }
        busy.sort();
        busy.dedup();
        let interfaces = links.into_iter().map(|l| l.name).filter(|name| !self.instance.owns(name)).collect();
        let warnings = crate::nft::neighbour::droppers(&mut Channel::open(Family::Netfilter)?, &self.table)?
            .into_iter()
            .map(|chain| {
                format!(
                    "chain {chain} drops forwarded packets by default; containers of this daemon reach no other \
                     network until it accepts them"
                )
            })
            .collect();
        Ok(Facts { interfaces, busy, warnings })
    }
}

/// What leases have to know of the host. Implemented by [`Host`], and by fakes in tests.
pub trait Surroundings: Send + Sync + fmt::Debug {
    /// Subnets that are in use outside of this instance.
    fn busy(&self) -> Result<Vec<IpNet>>;
    /// Fails with [`NetError::Conflict`] where a process of the host listens on the port.
    fn probe(&self, request: &PortRequest, outside: u16) -> Result<()>;
}

impl Surroundings for Host {
    fn busy(&self) -> Result<Vec<IpNet>> {
        Ok(self.facts()?.busy)
    }

    fn probe(&self, request: &PortRequest, outside: u16) -> Result<()> {
        match probe::listener(&request.protocol, request.address, outside) {
            Ok(()) => Ok(()),
            Err(source) => Err(NetError::Conflict(format!(
                "port {outside}/{} of the host cannot be published: {source}",
                request.protocol
            ))),
        }
    }
}
