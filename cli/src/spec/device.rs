//! `--device`, `--ulimit` and `--restart`.

use crate::error::{Error, Result};
use davit_api_types::models::{DeviceMapping, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum};

/// `HOST[:CONTAINER[:rwm]]`.
pub(super) fn device(flag: &str) -> Result<DeviceMapping> {
    let refuse =
        || Error::flag(format!("invalid device: {flag:?}: written as HOST[:CONTAINER[:rwm]], with absolute paths"));
    let is_mode = |text: &str| !text.is_empty() && text.chars().all(|c| "rwm".contains(c));
    let parts: Vec<&str> = flag.split(':').collect();
    let (host, inside, mode) = match parts.as_slice() {
        [host] => (*host, *host, "rwm"),
        [host, mode] if is_mode(mode) => (*host, *host, *mode),
        [host, inside] => (*host, *inside, "rwm"),
        [host, inside, mode] if is_mode(mode) => (*host, *inside, *mode),
        _ => return Err(refuse()),
    };
    if !host.starts_with('/') || !inside.starts_with('/') {
        return Err(refuse());
    }
    Ok(DeviceMapping {
        path_on_host: Some(host.to_owned()),
        path_in_container: Some(inside.to_owned()),
        cgroup_permissions: Some(mode.to_owned()),
    })
}

/// `NAME=SOFT[:HARD]`; -1 is unlimited.
pub(super) fn ulimit(flag: &str) -> Result<ResourcesUlimits> {
    let refuse = || Error::flag(format!("invalid ulimit: {flag:?}: written as NAME=SOFT[:HARD]"));
    let (name, limits) = flag.split_once('=').ok_or_else(refuse)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let number = |text: &str| text.parse::<i64>().ok().filter(|n| *n >= -1).ok_or_else(refuse);
    let (soft, hard) = (number(soft)?, number(hard)?);
    if name.is_empty() || (hard != -1 && (soft == -1 || soft > hard)) {
        return Err(refuse());
    }
    Ok(ResourcesUlimits { name: Some(name.to_owned()), soft: Some(soft), hard: Some(hard) })
}

/// `no`, `always`, `unless-stopped`, `on-failure[:N]`.
pub(crate) fn restart(flag: &str) -> Result<RestartPolicy> {
    let refuse =
        || Error::usage(format!("invalid restart policy: {flag:?}: no, always, unless-stopped or on-failure[:N]"));
    let (name, count) = match flag.split_once(':') {
        Some((name, count)) => (name, Some(count.parse::<u32>().map_err(|_| refuse())?)),
        None => (flag, None),
    };
    let policy = match (name, count) {
        ("no" | "", None) => RestartPolicyNameEnum::NO,
        ("always", None) => RestartPolicyNameEnum::ALWAYS,
        ("unless-stopped", None) => RestartPolicyNameEnum::UNLESS_STOPPED,
        ("on-failure", _) => RestartPolicyNameEnum::ON_FAILURE,
        _ => return Err(refuse()),
    };
    Ok(RestartPolicy { name: Some(policy), maximum_retry_count: Some(i64::from(count.unwrap_or(0))) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_in_each_form() {
        let show = |flag: &str| {
            device(flag)
                .ok()
                .map(|d| [d.path_on_host, d.path_in_container, d.cgroup_permissions].map(Option::unwrap).join(" "))
        };
        assert_eq!(show("/dev/fuse").as_deref(), Some("/dev/fuse /dev/fuse rwm"));
        assert_eq!(show("/dev/fuse:r").as_deref(), Some("/dev/fuse /dev/fuse r"));
        assert_eq!(show("/dev/a:/dev/b:rw").as_deref(), Some("/dev/a /dev/b rw"));
        for flag in ["", "fuse", "/a:/b:x", "/a:/b:r:w", "/a:"] {
            assert_eq!(show(flag), None, "{flag}");
        }
    }

    #[test]
    fn limits_have_a_soft_and_a_hard_side() {
        assert_eq!(ulimit("nofile=64:128").unwrap().soft, Some(64));
        assert_eq!(ulimit("core=-1").unwrap().hard, Some(-1));
        for flag in ["nofile", "nofile=", "nofile=9:8", "nofile=-1:8", "=1"] {
            assert!(ulimit(flag).is_err(), "{flag}");
        }
    }

    #[test]
    fn restart_policies_are_dockers() {
        assert_eq!(restart("on-failure:3").unwrap().maximum_retry_count, Some(3));
        for flag in ["sometimes", "always:3", "on-failure:x"] {
            assert!(restart(flag).is_err(), "{flag}");
        }
    }
}
