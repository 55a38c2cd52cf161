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
            return Err(Error::usage(format!("network {name:?} cannot be joined together with others")));
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
            _ => return Err(Error::usage(format!("invalid network: {flag:?}: unknown key {key:?}"))),
        }
    }
    if name.is_empty() {
        return Err(Error::usage(format!("invalid network: {flag:?}: a name is missing")));
    }
    Ok((name, endpoint))
}
