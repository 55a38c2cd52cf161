//! `-p [[IP:]HOST:]PORT[/PROTO]` and `--expose PORT[/PROTO]`, each with ranges.

use crate::error::{Error, Result};
use davit_api_types::models::{PortBinding, PortMap};
use std::ops::RangeInclusive;

/// The map of published ports, and every port that it exposes.
pub(super) fn published(flags: &[String]) -> Result<(PortMap, Vec<String>)> {
    let mut map = PortMap::new();
    let mut exposed = Vec::new();
    for flag in flags {
        for (port, binding) in one(flag).ok_or_else(|| refuse(flag))? {
            exposed.push(port.clone());
            map.entry(port).or_default().get_or_insert_default().push(binding);
        }
    }
    Ok((map, exposed))
}

/// The ports of `--expose`, with their protocol.
pub(super) fn exposed(flags: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for flag in flags {
        let (ports, protocol) = with_protocol(flag).ok_or_else(|| refuse(flag))?;
        all.extend(range(ports).ok_or_else(|| refuse(flag))?.map(|port| format!("{port}/{protocol}")));
    }
    Ok(all)
}

fn refuse(flag: &str) -> Error {
    Error::flag(format!(
        "invalid port: {flag:?}: written as [[IP:]HOST:]PORT[/tcp|udp|sctp], with numbers from 1 to 65535"
    ))
}

fn with_protocol(text: &str) -> Option<(&str, String)> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    matches!(protocol.as_str(), "tcp" | "udp" | "sctp").then_some((ports, protocol))
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first > 0 && first <= last).then_some(first..=last)
}

fn one(flag: &str) -> Option<Vec<(String, PortBinding)>> {
    let (ports, protocol) = with_protocol(flag)?;
    let (rest, inside) = ports.rsplit_once(':').unwrap_or(("", ports));
    let (ip, outside) = match rest.rsplit_once(':') {
        Some((ip, outside)) if !outside.contains(']') => (ip, outside),
        Some(_) => (rest, ""),
        None if rest.contains('.') => (rest, ""),
        None => ("", rest),
    };
    let ip = ip.trim_matches(['[', ']']);
    if !ip.is_empty() && ip.parse::<std::net::IpAddr>().is_err() {
        return None;
    }
    let inside = range(inside)?;
    let outside: Vec<String> = match outside {
        // 0 is Docker's other way to leave the choice to the engine.
        "" | "0" => inside.clone().map(|_| String::new()).collect(),
        // A range outside for one port inside: the daemon takes a free one of it.
        text if inside.len() == 1 && text.contains('-') => {
            range(text)?;
            vec![text.to_owned()]
        }
        text => range(text)?.map(|p| p.to_string()).collect(),
    };
    if outside.len() != inside.len() {
        return None;
    }
    let binding = |host_port| PortBinding { host_ip: Some(ip.to_owned()), host_port: Some(host_port) };
    Some(inside.zip(outside).map(|(port, host)| (format!("{port}/{protocol}"), binding(host))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(flag: &str) -> String {
        let Some(mut ports) = one(flag) else { return "refused".to_owned() };
        ports.sort_by(|a, b| a.0.cmp(&b.0));
        let shown = ports
            .into_iter()
            .map(|(port, b)| format!("{}|{}->{port}", b.host_ip.unwrap_or_default(), b.host_port.unwrap_or_default()));
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_form_is_read() {
        for (flag, expected) in [
            ("80", "|->80/tcp"),
            ("8080:80", "|8080->80/tcp"),
            ("8080:80/udp", "|8080->80/udp"),
            ("127.0.0.1:8080:80", "127.0.0.1|8080->80/tcp"),
            ("127.0.0.1::80", "127.0.0.1|->80/tcp"),
            ("127.0.0.1:0:80", "127.0.0.1|->80/tcp"),
            ("[::1]:8080:80", "::1|8080->80/tcp"),
            ("8000-8001:80-81", "|8000->80/tcp |8001->81/tcp"),
            ("8000-9000:80", "|8000-9000->80/tcp"),
        ] {
            assert_eq!(show(flag), expected, "{flag}");
        }
    }

    #[test]
    fn what_is_no_port_is_refused() {
        for flag in
            ["", "x", "0", "65536", "80/icmp", "8001-8000:80", "8000-8002:80-81", "host:80:80", "80:80:80:80", "80:"]
        {
            assert_eq!(show(flag), "refused", "{flag}");
        }
    }

    #[test]
    fn ranges_are_exposed_one_by_one() {
        assert_eq!(exposed(&["80-81/udp".to_owned()]).unwrap(), ["80/udp", "81/udp"]);
    }
}
