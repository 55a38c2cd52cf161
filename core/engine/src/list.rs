//! `ps`: the containers that a filter wants, newest first.

use crate::{Engine, EngineError, labels::has_label, record::ContainerRecord};
use std::ops::RangeInclusive;

/// Which containers are wanted. Values of one key are alternatives; keys must all match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Those that do not run as well.
    pub all: bool,
    /// At most so many, newest first; implies `all`.
    pub limit: Option<usize>,
    /// Id prefixes.
    pub id: Vec<String>,
    /// Parts of the name; `^` and `$` anchor (with and without the leading slash of the API).
    pub name: Vec<String>,
    /// `key` or `key=value`; all must match.
    pub label: Vec<String>,
    /// `created`, `running`, …; implies `all`.
    pub status: Vec<String>,
    /// Exit codes of ended containers; implies `all`.
    pub exited: Vec<i64>,
    /// Image references or ids.
    pub ancestor: Vec<String>,
    /// Volumes or mount points.
    pub volume: Vec<String>,
    /// Network names or ids.
    pub network: Vec<String>,
    /// Ports of the host's that are published.
    pub publish: Vec<PortFilter>,
    /// Ports that the container listens on.
    pub expose: Vec<PortFilter>,
    /// Made before this container.
    pub before: Option<String>,
    /// Made after this container.
    pub since: Option<String>,
}

/// A range of ports of a protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortFilter {
    /// The range.
    pub ports: RangeInclusive<u16>,
    /// `tcp`, `udp`, `sctp`.
    pub protocol: String,
}

impl PortFilter {
    fn wants(&self, port: u16, protocol: &str) -> bool {
        self.protocol == protocol && self.ports.contains(&port)
    }

    /// `80/tcp`
    fn wants_key(&self, key: &str) -> bool {
        let (port, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
        port.parse().is_ok_and(|port| self.wants(port, protocol))
    }
}

impl ListFilter {
    fn wants(&self, r: &ContainerRecord) -> bool {
        let any = |values: &[String], test: &dyn Fn(&String) -> bool| values.is_empty() || values.iter().any(test);
        let all_states = self.all || self.limit.is_some() || !self.status.is_empty() || !self.exited.is_empty();
        (all_states || r.state.status.has_process())
            && any(&self.id, &|p| r.id.as_str().starts_with(p.as_str()))
            && any(&self.name, &|p| name_matches(p, r.name.as_str()))
            && self.label.iter().all(|l| has_label(&r.labels, l))
            && any(&self.status, &|s| s == r.state.status.as_str())
            && (self.exited.is_empty()
                || (r.state.status == crate::record::Status::Exited && self.exited.contains(&r.state.exit_code)))
            && any(&self.ancestor, &|a| same_image(a, r))
            && any(&self.volume, &|v| r.mounts.iter().any(|m| m.name.as_ref() == Some(v) || m.target == *v))
            && (self.publish.is_empty()
                || self.publish.iter().any(|f| {
                    let mut published = r.endpoint.iter().flat_map(|e| &e.plan.ports);
                    published.any(|p| f.wants(p.outside, &p.request.protocol))
                }))
            && (self.expose.is_empty() || self.expose.iter().any(|f| r.exposed_ports.iter().any(|k| f.wants_key(k))))
            && any(&self.network, &|n| {
                r.spec.network == *n || r.endpoint.as_ref().is_some_and(|e| e.network == *n || e.network_name == *n)
            })
    }
}

fn same_image(wanted: &str, r: &ContainerRecord) -> bool {
    let reference = |t: &str| t.parse::<davit_model::reference::Reference>().ok();
    r.spec.image == wanted
        || r.image.to_string() == wanted
        || (wanted.len() >= 4 && r.image.hex().starts_with(wanted))
        || (reference(wanted).is_some() && reference(wanted) == reference(&r.spec.image))
}

/// Docker matches names as regular expressions; of these the anchors are what clients use.
fn name_matches(pattern: &str, name: &str) -> bool {
    let (start, rest) = match pattern.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let (end, rest) = match rest.strip_suffix('$') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let wanted = rest.strip_prefix('/').unwrap_or(rest);
    match (start, end) {
        (true, true) => name == wanted,
        (true, false) => name.starts_with(wanted),
        (false, true) => name.ends_with(wanted),
        (false, false) => name.contains(wanted),
    }
}

impl Engine {
    /// The containers that `filter` wants, newest first.
    pub async fn list(&self, filter: &ListFilter) -> Result<Vec<ContainerRecord>, EngineError> {
        let made = |name: &Option<String>| match name {
            Some(name) => self.inner.containers.find(name).map(|c| Some(c.read(|r| r.created))),
            None => Ok(None),
        };
        let (before, since) = (made(&filter.before)?, made(&filter.since)?);
        let mut found: Vec<ContainerRecord> = self.inner.containers.all().iter().map(|c| c.record()).collect();
        found
            .retain(|r| filter.wants(r) && before.is_none_or(|t| r.created < t) && since.is_none_or(|t| r.created > t));
        found.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        found.truncate(filter.limit.unwrap_or(usize::MAX));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::name_matches;

    #[test]
    fn names_match_in_the_middle_unless_anchored() {
        for (pattern, want) in
            [("eb", true), ("^web$", true), ("^/web", true), ("^eb", false), ("we$", false), ("", true)]
        {
            assert_eq!(name_matches(pattern, "web"), want, "{pattern}");
        }
    }
}
