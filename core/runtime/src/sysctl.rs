//! Kernel settings by name, and the namespace that each belongs to (namespaces(7), network_namespaces(7),
//! ipc_namespaces(7)). What belongs to none is the whole machine's.

use std::path::{Component, PathBuf};

/// A kind of namespace that has settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// `net.*`.
    Network,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// The NIS domain name. The host name has a field of its own in the specification.
    Uts,
}

/// Those of the ipc namespace beneath `kernel`.
const IPC: [&str; 8] = ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"];

impl Namespace {
    /// The namespace that a setting belongs to; none: it is the machine's, or no setting.
    #[must_use]
    pub fn of(key: &str) -> Option<Self> {
        let path = path_of(key);
        let mut words = Vec::new();
        for part in path.components() {
            // What leads up or is absolute names something else than it seems to.
            let Component::Normal(word) = part else { return None };
            words.push(word.to_str()?);
        }
        match words.as_slice() {
            ["net", _, ..] => Some(Self::Network),
            ["kernel", word] if IPC.contains(word) => Some(Self::Ipc),
            ["fs", "mqueue", _] => Some(Self::Ipc),
            ["kernel", "domainname"] => Some(Self::Uts),
            _ => None,
        }
    }
}

/// Where a setting is beneath `/proc/sys`. As sysctl(8): whichever of `.` and `/` comes first separates; the other then
/// stands for itself.
pub(crate) fn path_of(key: &str) -> PathBuf {
    let first = key.find(['.', '/']).and_then(|at| key.as_bytes().get(at).copied());
    if first == Some(b'/') {
        return PathBuf::from(key);
    }
    let turned = key.chars().map(|c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    });
    PathBuf::from(turned.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_name_may_carry_the_other_separator() {
        for (key, path) in [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"),
            ("net/ipv4/conf/eth0.100/forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ] {
            assert_eq!(path_of(key), PathBuf::from(path));
        }
    }

    #[test]
    fn a_setting_has_a_namespace_or_is_the_machines() {
        for (key, namespace) in [
            ("net.core.somaxconn", Some(Namespace::Network)),
            ("net/ipv4/ip_forward", Some(Namespace::Network)),
            ("kernel.shmmax", Some(Namespace::Ipc)),
            ("kernel.sem", Some(Namespace::Ipc)),
            ("fs.mqueue.msg_max", Some(Namespace::Ipc)),
            ("kernel.domainname", Some(Namespace::Uts)),
            ("kernel.hostname", None),
            ("kernel.core_pattern", None),
            ("kernel.panic", None),
            ("kernel.shmmax.more", None),
            ("vm.swappiness", None),
            ("fs.file-max", None),
            ("fs.mqueue", None),
            ("net", None),
            ("net/../kernel/core_pattern", None),
            ("net/./../kernel/panic", None),
            ("/kernel/core_pattern", None),
            ("/net/ipv4/ip_forward", None),
            ("", None),
            ("..", None),
        ] {
            assert_eq!(Namespace::of(key), namespace, "{key}");
        }
    }
}
