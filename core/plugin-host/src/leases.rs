//! How a guest's call, which runs in a task of its own, reaches a lease or a manifest that its caller lent it: it asks
//! over a channel, and the caller answers while it waits for the call's end. A caller that is gone answers nobody.

use davit_model::{
    auth::ManifestReader,
    digest::Digest,
    error::PolicyError,
    network::{AddressLease, Leases, PortRequest, SubnetId},
};
use ipnet::IpNet;
use std::net::IpAddr;
use tokio::sync::oneshot;

type Reply<T> = oneshot::Sender<Result<T, PolicyError>>;

/// A question to [`Leases`].
#[derive(Debug)]
pub(crate) enum LeaseAsk {
    Subnet { wanted: Option<IpNet>, v6: bool, reply: Reply<IpNet> },
    Address { subnet: SubnetId, wanted: Option<IpAddr>, reply: Reply<AddressLease> },
    Port { request: PortRequest, reply: Reply<u16> },
}

impl LeaseAsk {
    /// Asks `leases` and hands the answer back; a guest that is gone gets none.
    pub(crate) async fn answer(self, leases: &dyn Leases) {
        match self {
            Self::Subnet { wanted, v6, reply } => drop(reply.send(leases.subnet(wanted, v6).await)),
            Self::Address { subnet, wanted, reply } => drop(reply.send(leases.address(subnet, wanted).await)),
            Self::Port { request, reply } => drop(reply.send(leases.port(&request).await)),
        }
    }
}

/// A question to [`ManifestReader`].
#[derive(Debug)]
pub(crate) enum ManifestAsk {
    Referrers { artifact_type: String, reply: Reply<Vec<Digest>> },
    Blob { digest: Digest, reply: Reply<Vec<u8>> },
}

impl ManifestAsk {
    /// Asks `reader` and hands the answer back.
    pub(crate) async fn answer(self, reader: &dyn ManifestReader) {
        match self {
            Self::Referrers { artifact_type, reply } => drop(reply.send(reader.referrers(&artifact_type).await)),
            Self::Blob { digest, reply } => drop(reply.send(reader.blob(&digest).await)),
        }
    }
}
