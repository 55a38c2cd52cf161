//! Ports: what is exposed, what is published where.

use super::body::PortBinding;
use crate::failure::ApiError;
use davit_model::network::PortRequest;
use std::{collections::BTreeMap, net::IpAddr};

/// Reads `80/tcp`; without a protocol it is tcp.
pub(crate) fn parse_key(key: &str) -> Result<(u16, String), ApiError> {
    let (port, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(ApiError::invalid(format!("invalid port specification: {key:?}: unknown protocol")));
    }
    let port = port.parse().ok().filter(|p| *p != 0);
    let port = port.ok_or_else(|| ApiError::invalid(format!("invalid port specification: {key:?}")))?;
    Ok((port, protocol))
}

/// The ports to publish. An empty list of bindings publishes nothing; an empty binding lets the engine choose.
pub(crate) fn published(bindings: &BTreeMap<String, Option<Vec<PortBinding>>>) -> Result<Vec<PortRequest>, ApiError> {
    let mut ports = Vec::new();
    for (key, list) in bindings {
        let (inside, protocol) = parse_key(key)?;
        for binding in list.iter().flatten() {
            let text = binding.host_port.as_deref().unwrap_or("");
            let outside = match text {
                "" | "0" => None,
                text => Some(text.parse::<u16>().map_err(|_| bad_host_port(text))?),
            };
            let address = match binding.host_ip.as_deref().unwrap_or("") {
                "" | "0.0.0.0" => None,
                text => {
                    let parsed = text.parse::<IpAddr>();
                    Some(parsed.map_err(|_| ApiError::invalid(format!("invalid IP address: {text}")))?)
                }
            };
            ports.push(PortRequest { protocol: protocol.clone(), inside, outside, address });
        }
    }
    Ok(ports)
}

fn bad_host_port(text: &str) -> ApiError {
    if text.contains('-') {
        return ApiError::invalid(format!(
            "invalid port specification: {text:?}: a range of host ports is not supported, name one port or none"
        ));
    }
    ApiError::invalid(format!("invalid port specification: {text:?}"))
}

/// The exposed ports, in one form.
pub(crate) fn exposed<'a>(keys: impl Iterator<Item = &'a String>) -> Result<Vec<String>, ApiError> {
    keys.map(|key| parse_key(key).map(|(port, protocol)| format!("{port}/{protocol}"))).collect()
}
