//! `inspect`: a container, network or volume with all that is known of it.

use crate::{
    Engine, EngineError,
    record::{ContainerRecord, EndpointRecord, NetworkRecord, VolumeRecord},
};
use davit_model::network::Subnet;

/// A container, for `inspect`.
#[derive(Clone, Debug)]
pub struct ContainerDetails {
    /// Its record.
    pub record: ContainerRecord,
    /// Path of its log.
    pub log_path: String,
    /// Path of its hosts file.
    pub hosts_path: String,
    /// Path of its resolv.conf.
    pub resolv_path: String,
    /// Path of its hostname file.
    pub hostname_path: String,
    /// Its place on its network, where it has one.
    pub endpoint: Option<EndpointDetails>,
    /// Ids of its exec sessions.
    pub exec_ids: Vec<String>,
}

/// A container's place on a network, for people.
#[derive(Clone, Debug)]
pub struct EndpointDetails {
    /// The record.
    pub record: EndpointRecord,
    /// Container's id.
    pub container: String,
    /// Container's name.
    pub container_name: String,
}

/// A network, for `inspect`.
#[derive(Clone, Debug)]
pub struct NetworkDetails {
    /// Its record.
    pub record: NetworkRecord,
    /// The subnets, with gateways as the first host address.
    pub subnets: Vec<Subnet>,
    /// Who is on it.
    pub endpoints: Vec<EndpointDetails>,
}

/// A volume, for `inspect`.
#[derive(Clone, Debug)]
pub struct VolumeDetails {
    /// Its record.
    pub record: VolumeRecord,
    /// Where its files are.
    pub mountpoint: String,
    /// Ids of the containers that use it.
    pub users: Vec<String>,
}

impl Engine {
    /// A container with all that is known of it.
    pub async fn inspect(&self, name: &str) -> Result<ContainerDetails, EngineError> {
        let container = self.inner.containers.find(name)?;
        let record = container.record();
        let file = |f: &str| self.inner.container_dir(&record.id).join(f).display().to_string();
        Ok(ContainerDetails {
            log_path: self.inner.log_path(&record.id).display().to_string(),
            hosts_path: file("hosts"),
            resolv_path: file("resolv.conf"),
            hostname_path: file("hostname"),
            endpoint: record.endpoint.clone().map(|e| endpoint(&record, e)),
            exec_ids: container.execs().iter().filter(|e| e.running()).map(|e| e.id.clone()).collect(),
            record,
        })
    }
}

/// An endpoint with its container's names.
pub(crate) fn endpoint(container: &ContainerRecord, record: EndpointRecord) -> EndpointDetails {
    EndpointDetails { record, container: container.id.to_string(), container_name: container.name.to_string() }
}
