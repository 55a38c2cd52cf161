//! Kernel settings (`net.ipv4.ip_forward`), written through a procfs of our own.

use super::resolve;
use crate::failure::{At, Failure, Stage};
use rustix::fs::{OFlags, ResolveFlags};
use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

pub(super) fn apply(procfs: &OwnedFd, settings: Option<&HashMap<String, String>>) -> Result<(), Failure> {
    // Sorted, so that a failure is the same failure every time.
    for (key, value) in settings.into_iter().flatten().collect::<BTreeMap<_, _>>() {
        let path = path_of(key);
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        resolve::open(procfs.as_fd(), &path, OFlags::WRONLY, how)
            .and_then(|file| Ok(rustix::io::write(&file, value.as_bytes())?))
            .at(Stage::Sysctl, || format!("set {key} to {value:?}"))?;
    }
    Ok(())
}

/// As sysctl(8): whichever of `.` and `/` comes first separates; the other then stands for itself.
fn path_of(key: &str) -> PathBuf {
    let first = key.find(['.', '/']).and_then(|at| key.as_bytes().get(at).copied());
    let path = if first == Some(b'/') {
        key.to_owned()
    } else {
        key.chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect()
    };
    PathBuf::from("sys").join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_name_may_carry_the_other_separator() {
        for (key, path) in [
            ("net.ipv4.ip_forward", "sys/net/ipv4/ip_forward"),
            ("net.ipv4.conf.eth0/100.forwarding", "sys/net/ipv4/conf/eth0.100/forwarding"),
            ("net/ipv4/conf/eth0.100/forwarding", "sys/net/ipv4/conf/eth0.100/forwarding"),
        ] {
            assert_eq!(path_of(key), PathBuf::from(path));
        }
    }
}
