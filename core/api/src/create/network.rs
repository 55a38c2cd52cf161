//! Which network, and which place on it.

use super::{
    body::{CreateBody, HostConfig},
    leftover,
};
use crate::failure::ApiError;
use davit_model::container::ContainerSpec;
use std::net::IpAddr;

/// Fills the spec's network fields.
pub(crate) fn fill(spec: &mut ContainerSpec, body: &CreateBody) -> Result<(), ApiError> {
    let mode = body.host_config.as_ref().and_then(|h| h.network_mode.as_deref()).unwrap_or("");
    spec.network = match mode {
        _ if body.network_disabled == Some(true) => "none".to_owned(),
        "" => "default".to_owned(),
        mode if mode.starts_with("container:") => return Err(leftover::refused("HostConfig.NetworkMode container:…")),
        mode => mode.to_owned(),
    };
    spec.mac_address = body.mac_address.clone().filter(|m| !m.is_empty());
    let endpoints = body.networking_config.as_ref().and_then(|n| n.endpoints_config.as_ref());
    let mut endpoints = endpoints.into_iter().flatten();
    let Some((name, endpoint)) = endpoints.next() else { return Ok(()) };
    if endpoints.next().is_some() {
        return Err(leftover::refused("NetworkingConfig with more than one network"));
    }
    if spec.network == "default" {
        spec.network = name.clone();
    } else if *name != spec.network {
        return Err(ApiError::invalid(format!(
            "NetworkingConfig names network {name:?} and HostConfig.NetworkMode {:?}: they must be the same",
            spec.network
        )));
    }
    let Some(endpoint) = endpoint else { return Ok(()) };
    if endpoint.links.as_ref().is_some_and(|l| !l.is_empty()) {
        return Err(leftover::refused("Links"));
    }
    if endpoint.driver_opts.as_ref().is_some_and(|o| !o.is_empty()) {
        return Err(leftover::refused("DriverOpts of an endpoint"));
    }
    spec.aliases = endpoint.aliases.clone().unwrap_or_default();
    if let Some(mac) = endpoint.mac_address.clone().filter(|m| !m.is_empty()) {
        spec.mac_address = Some(mac);
    }
    if let Some(addresses) = &endpoint.ipam_config {
        spec.ipv4_address = address(addresses.ipv4_address.as_deref(), IpAddr::is_ipv4)?;
        spec.ipv6_address = address(addresses.ipv6_address.as_deref(), IpAddr::is_ipv6)?;
    }
    Ok(())
}

/// The name servers that are asked for.
pub(crate) fn name_servers(host: &HostConfig) -> Result<Vec<String>, ApiError> {
    let servers = host.dns.clone().unwrap_or_default();
    match servers.iter().find(|d| d.parse::<IpAddr>().is_err()) {
        Some(bad) => Err(ApiError::invalid(format!("IP address is not correctly formatted: {bad}"))),
        None => Ok(servers),
    }
}

/// Further lines of `/etc/hosts`, as `name:address`.
pub(crate) fn extra_hosts(host: &HostConfig) -> Result<Vec<String>, ApiError> {
    let one = |text: &String| {
        let (name, address) = text.split_once('=').or_else(|| text.split_once(':'))?;
        let address = address.trim_matches(['[', ']']);
        // `host-gateway` stands for the host's address on the container's network.
        let fits = !name.is_empty() && (address == "host-gateway" || address.parse::<IpAddr>().is_ok());
        fits.then(|| format!("{name}:{address}"))
    };
    let bad = |text: &String| ApiError::invalid(format!("bad format for add-host: {text:?}: written as NAME:ADDRESS"));
    host.extra_hosts.iter().flatten().map(|text| one(text).ok_or_else(|| bad(text))).collect()
}

fn address(text: Option<&str>, family: fn(&IpAddr) -> bool) -> Result<Option<IpAddr>, ApiError> {
    match text.unwrap_or("") {
        "" => Ok(None),
        text => match text.parse::<IpAddr>() {
            Ok(address) if family(&address) => Ok(Some(address)),
            _ => Err(ApiError::invalid(format!("invalid IP address: {text}"))),
        },
    }
}
