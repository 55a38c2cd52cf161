//! What a request asks for and this engine, or the network that was chosen, cannot give: said when the container is created.
//! An explicit wish is never dropped in silence.

use crate::{Engine, EngineError, kill::parse_signal, record::NetworkRecord};
use davit_model::container::ContainerSpec;

/// Refuses what can be given to no container.
pub(crate) fn check(spec: &ContainerSpec) -> Result<(), EngineError> {
    if spec.init {
        return Err(EngineError::invalid(
            "--init is not supported yet: leave it out, or make an init of the image's (tini, dumb-init) its entry point",
        ));
    }
    if let Some(signal) = &spec.stop_signal {
        parse_signal(signal)?;
    }
    if spec.host_namespaces.iter().any(|n| n == "uts") && (spec.hostname.is_some() || spec.domainname.is_some()) {
        return Err(EngineError::invalid("conflicting options: hostname and the UTS mode"));
    }
    Ok(())
}

/// The name of a container's own: what was asked for, with the host's uts namespace the host's, else the short id.
pub(crate) fn hostname(spec: &ContainerSpec, short_id: &str) -> String {
    match &spec.hostname {
        Some(name) => name.clone(),
        None if spec.host_namespaces.iter().any(|n| n == "uts") => {
            rustix::system::uname().nodename().to_string_lossy().into_owned()
        }
        None => short_id.to_owned(),
    }
}

impl Engine {
    /// Refuses an address that the network cannot give; the answer: a warning where it cannot publish ports.
    pub(crate) async fn check_place(&self, spec: &ContainerSpec) -> Result<Vec<String>, EngineError> {
        if spec.ports.is_empty() && spec.ipv4_address.is_none() && spec.ipv6_address.is_none() {
            return Ok(Vec::new());
        }
        place(spec, &self.network(&spec.network).await?)
    }
}

fn place(spec: &ContainerSpec, network: &NetworkRecord) -> Result<Vec<String>, EngineError> {
    let subnets = &network.plan.subnets;
    for (flag, version, wanted) in [("--ip", "IPv4", spec.ipv4_address), ("--ip6", "IPv6", spec.ipv6_address)] {
        let Some(wanted) = wanted else { continue };
        if !subnets.iter().any(|s| s.net.addr().is_ipv4() == wanted.is_ipv4()) {
            return Err(EngineError::invalid(format!(
                "{flag} {wanted}: network {} has no {version} addresses; leave it out, or choose a network that has them",
                network.name
            )));
        }
    }
    Ok(match subnets.is_empty() && !spec.ports.is_empty() {
        true if network.driver == "host" => {
            vec!["Published ports are discarded when using host network mode".to_owned()]
        }
        true => vec![format!("Published ports are discarded: network {} has no addresses", network.name)],
        false => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use davit_model::network::{NetworkPlan, NetworkRequest, PortRequest, Subnet, SubnetId};
    use std::collections::BTreeMap;

    fn network(driver: &str, net: Option<&str>) -> NetworkRecord {
        let subnet = |net: &str| Subnet { id: SubnetId(0), net: net.parse().unwrap(), masquerade: true };
        NetworkRecord {
            id: String::new(),
            name: driver.to_owned(),
            driver: driver.to_owned(),
            created: jiff::Timestamp::now(),
            request: NetworkRequest {
                name: driver.to_owned(),
                internal: false,
                ipv6: false,
                subnets: Vec::new(),
                settings: BTreeMap::new(),
            },
            plan: NetworkPlan { subnets: net.map(subnet).into_iter().collect(), ..NetworkPlan::default() },
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn a_wish_that_no_container_is_given_is_refused() {
        let refusal = |spec: ContainerSpec| check(&spec).unwrap_err().message().to_owned();
        assert!(check(&ContainerSpec { stop_signal: Some("USR1".to_owned()), ..ContainerSpec::default() }).is_ok());
        assert_eq!(
            refusal(ContainerSpec { stop_signal: Some("FOO".to_owned()), ..ContainerSpec::default() }),
            "invalid signal: FOO"
        );
        assert!(
            refusal(ContainerSpec { init: true, ..ContainerSpec::default() }).starts_with("--init is not supported")
        );
        let host = ContainerSpec { host_namespaces: vec!["uts".to_owned()], ..ContainerSpec::default() };
        assert!(check(&host).is_ok());
        assert_eq!(hostname(&host, "c0ffee"), rustix::system::uname().nodename().to_string_lossy());
        let named = ContainerSpec { hostname: Some("x".to_owned()), ..host };
        assert_eq!(refusal(named), "conflicting options: hostname and the UTS mode");
    }

    #[test]
    fn an_address_that_the_network_has_not_is_refused_and_ports_that_it_cannot_publish_are_told() {
        let asked = |v6: Option<&str>, port: bool| ContainerSpec {
            ipv6_address: v6.map(|a| a.parse().unwrap()),
            ports: port
                .then(|| PortRequest { protocol: "tcp".to_owned(), inside: 80, outside: None, address: None })
                .into_iter()
                .collect(),
            ..ContainerSpec::default()
        };
        let bridge = network("bridge", Some("10.1.0.0/16"));
        let refused = place(&asked(Some("fd00::9"), false), &bridge).unwrap_err();
        assert!(refused.message().starts_with("--ip6 fd00::9: network bridge has no IPv6 addresses"), "{refused}");
        assert!(place(&asked(Some("fd00::9"), true), &network("bridge", Some("fd00::/64"))).unwrap().is_empty());
        assert!(place(&asked(None, true), &bridge).unwrap().is_empty());
        let said = |driver: &str| place(&asked(None, true), &network(driver, None)).unwrap().join("");
        assert_eq!(said("host"), "Published ports are discarded when using host network mode");
        assert_eq!(said("none"), "Published ports are discarded: network none has no addresses");
    }
}
