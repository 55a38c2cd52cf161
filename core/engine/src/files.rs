//! The three files that the engine writes for a container: `hosts`, `resolv.conf`, `hostname`. They are bound over the
//! image's own, so the image cannot say where they come from.

use crate::{Engine, EngineError, record::ContainerRecord};
use davit_model::network::{Attachment, EndpointPlan};
use std::{fmt::Write as _, io::Write as _, net::IpAddr, path::Path};

impl Engine {
    /// Writes the files for a run with this endpoint.
    pub(crate) fn write_files(&self, record: &ContainerRecord, plan: &EndpointPlan) -> Result<(), EngineError> {
        let dir = self.inner.container_dir(&record.id);
        let hostname = record.spec.hostname.clone().unwrap_or_else(|| record.id.short().to_owned());
        let shared = plan.attachment == Attachment::ShareHost;
        write(&dir.join("hostname"), &format!("{hostname}\n"))?;
        write(&dir.join("hosts"), &hosts(record, plan, &hostname))?;
        let host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        // The resolver listens on the network's bridge; who is on no bridge asks the host's own servers.
        let bridged = matches!(plan.attachment, Attachment::Veth { .. });
        let resolver = plan.addresses.iter().map(|a| a.gateway).filter(|_| !plan.names.is_empty() && bridged);
        write(&dir.join("resolv.conf"), &resolv(record, &host, &resolver.collect::<Vec<_>>(), shared))
    }
}

fn write(path: &Path, text: &str) -> Result<(), EngineError> {
    // In place: a running container may have the file bound, and a rename would leave it with the old one.
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(path);
    file.and_then(|mut f| f.write_all(text.as_bytes()))
        .map_err(|e| EngineError::internal(&format!("writing {}", path.display()), e))
}

fn hosts(record: &ContainerRecord, plan: &EndpointPlan, hostname: &str) -> String {
    let mut text = String::from(
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n\
         ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
    );
    let gateway = plan.addresses.first().map(|a| a.gateway);
    for entry in &record.spec.extra_hosts {
        let Some((name, address)) = entry.split_once(':') else { continue };
        let address = match (address, gateway) {
            ("host-gateway", Some(gateway)) => gateway.to_string(),
            _ => address.to_owned(),
        };
        let _ = writeln!(text, "{address}\t{name}");
    }
    let full = match &record.spec.domainname {
        Some(domain) if !domain.is_empty() => format!("{hostname}.{domain} {hostname}"),
        _ => hostname.to_owned(),
    };
    for lease in &plan.addresses {
        let _ = writeln!(text, "{}\t{full}", lease.address.addr());
    }
    if plan.addresses.is_empty() {
        let _ = writeln!(text, "127.0.1.1\t{full}");
    }
    text
}

fn resolv(record: &ContainerRecord, host: &str, resolver: &[IpAddr], shared: bool) -> String {
    let spec = &record.spec;
    let mut servers: Vec<String> = spec.dns.clone();
    if servers.is_empty() {
        servers = resolver.iter().map(ToString::to_string).collect();
    }
    let mut text = String::new();
    let own = |line: &str| {
        let server = line.strip_prefix("nameserver").map(str::trim);
        let loopback = server.and_then(|s| s.parse::<IpAddr>().ok()).is_some_and(|a| a.is_loopback());
        // Another namespace's loopback is not ours: such a server cannot be reached from inside.
        let unreachable = loopback && !shared;
        let replaced = (server.is_some() && !servers.is_empty())
            || (line.starts_with("search") && !spec.dns_search.is_empty())
            || (line.starts_with("options") && !spec.dns_options.is_empty());
        !(line.starts_with('#') || unreachable || replaced)
    };
    for line in host.lines().filter(|l| own(l)) {
        let _ = writeln!(text, "{line}");
    }
    for server in servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    if !spec.dns_search.is_empty() {
        let _ = writeln!(text, "search {}", spec.dns_search.join(" "));
    }
    if !spec.dns_options.is_empty() {
        let _ = writeln!(text, "options {}", spec.dns_options.join(" "));
    }
    text
}
