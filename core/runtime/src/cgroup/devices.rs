//! Which devices a container may open: the ordered rules of the OCI specification in the v1 devices controller.
//!
//! v2 has no files for it; there it is a program attached to the group.

use super::{CgroupError, Group, file};
use oci_spec::runtime::LinuxDeviceCgroup;

/// Writes `rules` in order. Says what could not be applied: the list is a default that every container has.
pub(super) fn apply(group: &Group, rules: &[LinuxDeviceCgroup]) -> Result<Vec<String>, CgroupError> {
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let Some(dir) = group.v1_dir("devices") else {
        return Ok(vec!["access to devices is not restricted: no devices controller in this cgroup".to_owned()]);
    };
    for rule in rules {
        let (name, value) = line(rule)?;
        file::write(dir, name, &value)?;
    }
    Ok(Vec::new())
}

/// The file and the line for one rule; `a` alone stands for everything.
pub(super) fn line(rule: &LinuxDeviceCgroup) -> Result<(&'static str, String), CgroupError> {
    let name = if rule.allow() { "devices.allow" } else { "devices.deny" };
    let number = |n: Option<i64>| match n {
        None | Some(-1) => Ok("*".to_owned()),
        Some(n) if n >= 0 => Ok(n.to_string()),
        Some(n) => Err(CgroupError::Invalid(format!("device number {n}"))),
    };
    let (major, minor) = (number(rule.major())?, number(rule.minor())?);
    let access = rule.access().as_deref().filter(|a| !a.is_empty()).unwrap_or("rwm");
    if !access.bytes().all(|b| b"rwm".contains(&b)) {
        return Err(CgroupError::Invalid(format!("device access {access:?}")));
    }
    let kind = match rule.typ().unwrap_or_default().as_str() {
        "a" if major == "*" && minor == "*" => return Ok((name, "a".to_owned())),
        "a" => return Err(CgroupError::Invalid("a device rule for all kinds with a number".to_owned())),
        "u" | "c" => "c",
        "b" => "b",
        other => return Err(CgroupError::Invalid(format!("device kind {other:?} in a cgroup rule"))),
    };
    Ok((name, format!("{kind} {major}:{minor} {access}")))
}
