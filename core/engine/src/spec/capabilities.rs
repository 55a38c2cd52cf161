//! Docker's default capabilities, with what a request adds and drops.

use crate::EngineError;
use davit_model::container::ContainerSpec;
use oci_spec::runtime::{Capability, LinuxCapabilities, LinuxCapabilitiesBuilder};
use rustix::thread::{CapabilitySet, capability_is_in_bounding_set};
use std::collections::HashSet;

/// moby, oci/caps/defaults.go.
const DEFAULT: [Capability; 14] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fsetid,
    Capability::Fowner,
    Capability::Mknod,
    Capability::NetRaw,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setfcap,
    Capability::Setpcap,
    Capability::NetBindService,
    Capability::SysChroot,
    Capability::Kill,
    Capability::AuditWrite,
];

/// The sets of a container's first process: bounding, permitted and effective alike; inheritable and ambient empty
/// (CVE-2022-29162).
pub(crate) fn of(spec: &ContainerSpec) -> Result<LinuxCapabilities, EngineError> {
    let caps = wanted(spec)?;
    LinuxCapabilitiesBuilder::default()
        .bounding(caps.clone())
        .permitted(caps.clone())
        .effective(caps)
        .inheritable(HashSet::new())
        .ambient(HashSet::new())
        .build()
        .map_err(super::bad)
}

/// The capabilities that are left.
pub(crate) fn wanted(spec: &ContainerSpec) -> Result<HashSet<Capability>, EngineError> {
    let available = available();
    if spec.privileged {
        return Ok(available);
    }
    let mut caps: HashSet<Capability> = DEFAULT.into_iter().filter(|c| available.contains(c)).collect();
    let all = |list: &[String]| list.iter().any(|c| c.eq_ignore_ascii_case("all"));
    if all(&spec.cap_add) {
        caps.clone_from(&available);
    }
    if all(&spec.cap_drop) {
        caps.clear();
    }
    for name in spec.cap_drop.iter().filter(|c| !c.eq_ignore_ascii_case("all")) {
        caps.remove(&parse(name)?);
    }
    for name in spec.cap_add.iter().filter(|c| !c.eq_ignore_ascii_case("all")) {
        let capability = parse(name)?;
        if !available.contains(&capability) {
            return Err(EngineError::invalid(format!(
                "capability {name:?} cannot be added: this kernel does not have it, or this machine gives it to no process"
            )));
        }
        caps.insert(capability);
    }
    Ok(caps)
}

/// The name with `CAP_`.
pub(crate) fn name(capability: &Capability) -> String {
    match serde_json::to_value(capability) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

fn parse(name: &str) -> Result<Capability, EngineError> {
    let upper = name.to_ascii_uppercase();
    let wire = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
    serde_json::from_value(serde_json::Value::String(wire))
        .map_err(|_| EngineError::invalid(format!("invalid capability: {name:?}")))
}

/// All that this daemon can give. The kernel may know fewer than the specification lists, and where the machine is itself
/// a container some were taken from its root for good.
fn available() -> HashSet<Capability> {
    use Capability as C;
    let by_number = [
        C::Chown,
        C::DacOverride,
        C::DacReadSearch,
        C::Fowner,
        C::Fsetid,
        C::Kill,
        C::Setgid,
        C::Setuid,
        C::Setpcap,
        C::LinuxImmutable,
        C::NetBindService,
        C::NetBroadcast,
        C::NetAdmin,
        C::NetRaw,
        C::IpcLock,
        C::IpcOwner,
        C::SysModule,
        C::SysRawio,
        C::SysChroot,
        C::SysPtrace,
        C::SysPacct,
        C::SysAdmin,
        C::SysBoot,
        C::SysNice,
        C::SysResource,
        C::SysTime,
        C::SysTtyConfig,
        C::Mknod,
        C::Lease,
        C::AuditWrite,
        C::AuditControl,
        C::Setfcap,
        C::MacOverride,
        C::MacAdmin,
        C::Syslog,
        C::WakeAlarm,
        C::BlockSuspend,
        C::AuditRead,
        C::Perfmon,
        C::Bpf,
        C::CheckpointRestore,
    ];
    let given = |number: usize| {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        // An error: the kernel does not know it.
        capability_is_in_bounding_set(capability).unwrap_or(false)
    };
    by_number.into_iter().enumerate().filter(|(number, _)| given(*number)).map(|(_, capability)| capability).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(add: &[&str], drop: &[&str]) -> usize {
        let list = |l: &[&str]| l.iter().map(|s| s.to_string()).collect();
        wanted(&ContainerSpec { cap_add: list(add), cap_drop: list(drop), ..Default::default() }).unwrap().len()
    }

    #[test]
    fn what_this_process_was_denied_for_good_is_in_no_set() {
        let apart = std::thread::spawn(|| {
            // Of this thread alone.
            rustix::thread::remove_capability_from_bounding_set(CapabilitySet::SYS_TIME).unwrap();
            rustix::thread::remove_capability_from_bounding_set(CapabilitySet::MKNOD).unwrap();
            let all = wanted(&ContainerSpec { privileged: true, ..Default::default() }).unwrap();
            assert!(all.contains(&Capability::NetAdmin) && !all.contains(&Capability::SysTime), "{all:?}");
            assert_eq!(count(&[], &[]), 13);
            assert_eq!(count(&["ALL"], &[]), all.len());
            let one = ContainerSpec { cap_add: vec!["SYS_TIME".into()], ..Default::default() };
            let refused = wanted(&one).unwrap_err();
            assert!(refused.to_string().contains("SYS_TIME"), "{refused}");
        });
        apart.join().unwrap();
    }

    #[test]
    fn added_and_dropped_as_docker_does() {
        assert_eq!(count(&[], &[]), 14);
        assert_eq!(count(&["NET_ADMIN"], &["chown"]), 14);
        assert_eq!(count(&["CAP_NET_ADMIN"], &["ALL"]), 1);
        assert!(count(&["ALL"], &[]) > 30);
        let bad = ContainerSpec { cap_add: vec!["NOSUCH".into()], ..Default::default() };
        assert!(wanted(&bad).is_err());
    }
}
