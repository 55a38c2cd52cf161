//! `--network`, `--ip`, `--mac-address`, `--network-alias`: which networks, and as whom.

use super::Spec;
use crate::error::{Error, Result};
use davit_api_types::models::{EndpointIpamConfig, EndpointSettings, NetworkingConfig};
use std::collections::HashMap;

/// The network mode, and the endpoints where something was said about them.
pub(super) fn networks(spec: &Spec) -> Result<(Option<String>, Option<NetworkingConfig>)> {
    let mut endpoints = HashMap::new();
    for (i, flag) in spec.network.iter().enumerate() {
        let (name, mut endpoint) = one(flag)?;
        if i == 0 {
            add_flags(spec, &mut endpoint);
        }
        let alone = matches!(name.as_str(), "host" | "none") || name.starts_with("container:");
        if alone && spec.network.len() > 1 {
            return Err(Error::flag(format!("network {name:?} cannot be joined together with others")));
        }
        if endpoint != EndpointSettings::default() || spec.network.len() > 1 {
            endpoints.insert(name.clone(), endpoint);
        }
    }
    let mode = spec.network.first().map(|flag| one(flag).map(|(name, _)| name)).transpose()?;
    if spec.network.is_empty() {
        let mut endpoint = EndpointSettings::default();
        add_flags(spec, &mut endpoint);
        if endpoint != EndpointSettings::default() {
            endpoints.insert("default".to_owned(), endpoint);
        }
    }
    let config = (!endpoints.is_empty()).then_some(NetworkingConfig { endpoints_config: Some(endpoints) });
    Ok((mode, config))
}

/// `--dns`: an address.
pub(super) fn name_server(flag: &str) -> Result<String> {
    let is_address = flag.parse::<std::net::IpAddr>().is_ok();
    is_address
        .then(|| flag.to_owned())
        .ok_or_else(|| Error::flag(format!("invalid name server: {flag:?}: an IP address")))
}

/// `--add-host NAME:ADDRESS`, also with `=`; `host-gateway` stands for the host's own address.
pub(super) fn extra_host(flag: &str) -> Result<String> {
    let refuse = || Error::flag(format!("invalid extra host: {flag:?}: written as NAME:ADDRESS"));
    let (name, address) = flag.split_once('=').or_else(|| flag.split_once(':')).ok_or_else(refuse)?;
    let address = address.trim_matches(['[', ']']);
    if name.is_empty() || (address != "host-gateway" && address.parse::<std::net::IpAddr>().is_err()) {
        return Err(refuse());
    }
    Ok(format!("{name}:{address}"))
}

fn add_flags(spec: &Spec, endpoint: &mut EndpointSettings) {
    if let Some(ip) = &spec.ip {
        ipam(endpoint).ipv4_address = Some(ip.clone());
    }
    if let Some(ip) = &spec.ip6 {
        ipam(endpoint).ipv6_address = Some(ip.clone());
    }
    if let Some(mac) = &spec.mac_address {
        endpoint.mac_address = Some(mac.clone());
    }
    if !spec.network_alias.is_empty() {
        endpoint.aliases.get_or_insert_default().extend(spec.network_alias.iter().cloned());
    }
}

fn ipam(endpoint: &mut EndpointSettings) -> &mut EndpointIpamConfig {
    endpoint.ipam_config.get_or_insert_default()
}

/// A name, or `name=NET,ip=…,alias=…`.
fn one(flag: &str) -> Result<(String, EndpointSettings)> {
    let mut endpoint = EndpointSettings::default();
    if !flag.contains('=') {
        return Ok((flag.to_owned(), endpoint));
    }
    let mut name = String::new();
    for field in flag.split(',') {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        let value = value.to_owned();
        match key {
            "name" => name = value,
            "ip" => ipam(&mut endpoint).ipv4_address = Some(value),
            "ip6" => ipam(&mut endpoint).ipv6_address = Some(value),
            "mac-address" => endpoint.mac_address = Some(value),
            "alias" => endpoint.aliases.get_or_insert_default().push(value),
            "driver-opt" => {
                let (key, value) = super::environment::pair(&value);
                endpoint.driver_opts.get_or_insert_default().insert(key, value);
            }
            _ => return Err(Error::flag(format!("invalid network: {flag:?}: unknown key {key:?}"))),
        }
    }
    if name.is_empty() {
        return Err(Error::flag(format!("invalid network: {flag:?}: a name is missing")));
    }
    Ok((name, endpoint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_and_extra_hosts_are_addresses() {
        for (flag, read) in [
            ("a:1.2.3.4", Some("a:1.2.3.4")),
            ("a=fd00::1", Some("a:fd00::1")),
            ("a:[fd00::1]", Some("a:fd00::1")),
            ("a:host-gateway", Some("a:host-gateway")),
            ("bad", None),
            (":1.2.3.4", None),
            ("a:b", None),
        ] {
            assert_eq!(extra_host(flag).ok().as_deref(), read, "{flag}");
        }
        assert!(name_server("9.9.9.9").is_ok());
        assert!(name_server("bad").is_err());
    }
}
