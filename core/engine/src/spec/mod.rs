//! From a record to the OCI runtime specification (runtime-spec 1.2, config.md) that the runtime makes real. Every value
//! is typed or checked here; nothing of a request is concatenated into an option string.

pub(crate) mod capabilities;
mod devices;
mod mounts;
mod resources;

pub(crate) use resources::of as resources;

use crate::{EngineError, record::ContainerRecord};
use davit_model::network::{Attachment, EndpointPlan};
use oci_spec::runtime as oci;
use std::path::Path;

/// Paths of `/proc` and `/sys` that tell too much of the host: hidden (moby, oci/defaults.go).
const MASKED: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// Paths that change the host: read-only.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What a run of this container is to be, without its root (which the storage driver planned) and its seccomp filter.
pub(crate) fn runtime_spec(
    record: &ContainerRecord,
    files: &Path,
    plan: &EndpointPlan,
) -> Result<oci::Spec, EngineError> {
    let spec = &record.spec;
    let hostname = spec.hostname.clone().unwrap_or_else(|| record.id.short().to_owned());
    let host_uts = spec.host_namespaces.iter().any(|n| n == "uts");
    let mut built = oci::SpecBuilder::default()
        .version("1.2.0")
        .process(process(record)?)
        .root(oci::RootBuilder::default().path("rootfs").readonly(spec.read_only).build().map_err(bad)?)
        .mounts(mounts::all(record, files)?)
        .linux(linux(record, plan)?);
    if !host_uts {
        built = built.hostname(hostname);
        if let Some(domain) = spec.domainname.clone().filter(|d| !d.is_empty()) {
            built = built.domainname(domain);
        }
    }
    let mut built = built.build().map_err(bad)?;
    if host_uts {
        // The builder has a name of its own for whoever says none; the host's is not ours to set.
        built.set_hostname(None).set_domainname(None);
    }
    Ok(built)
}

fn process(record: &ContainerRecord) -> Result<oci::Process, EngineError> {
    let spec = &record.spec;
    let mut process = oci::ProcessBuilder::default()
        .terminal(spec.tty)
        .args(record.process.args.clone())
        .env(record.process.env.clone())
        .cwd(&record.process.cwd)
        .capabilities(capabilities::of(spec)?)
        .no_new_privileges(security(spec)?.no_new_privileges)
        .rlimits(rlimits(&spec.ulimits)?);
    if let Some(adjust) = spec.oom_score_adj {
        process = process.oom_score_adj(adjust);
    }
    process.build().map_err(bad)
}

fn linux(record: &ContainerRecord, plan: &EndpointPlan) -> Result<oci::Linux, EngineError> {
    use oci::LinuxNamespaceType as Ns;
    let spec = &record.spec;
    let shares = |name: &str| spec.host_namespaces.iter().any(|n| n == name);
    let mut kinds = vec![Ns::Mount, Ns::Cgroup];
    kinds.extend((!shares("pid")).then_some(Ns::Pid));
    kinds.extend((!shares("ipc")).then_some(Ns::Ipc));
    kinds.extend((!shares("uts")).then_some(Ns::Uts));
    kinds.extend((plan.attachment != Attachment::ShareHost).then_some(Ns::Network));
    let namespaces = kinds.into_iter().map(|k| oci::LinuxNamespaceBuilder::default().typ(k).build().map_err(bad));
    let mut sysctl = spec.sysctls.clone();
    if plan.attachment != Attachment::ShareHost {
        // As Docker: nothing in a container needs a capability to listen low or to ping.
        sysctl.entry("net.ipv4.ip_unprivileged_port_start".to_owned()).or_insert("0".to_owned());
        sysctl.entry("net.ipv4.ping_group_range".to_owned()).or_insert("0 2147483647".to_owned());
    }
    let hidden = !spec.privileged && !security(spec)?.unmasked;
    let list = |paths: &[&str]| if hidden { paths.iter().map(|p| p.to_string()).collect() } else { Vec::new() };
    oci::LinuxBuilder::default()
        .namespaces(namespaces.collect::<Result<Vec<_>, _>>()?)
        .sysctl(sysctl.into_iter().collect::<std::collections::HashMap<_, _>>())
        .masked_paths(list(&MASKED))
        .readonly_paths(list(&READ_ONLY))
        .devices(devices::nodes(record)?)
        .resources(resources::of(record)?)
        .build()
        .map_err(bad)
}

/// What `--security-opt` asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Security {
    pub(crate) no_new_privileges: bool,
    pub(crate) unmasked: bool,
    pub(crate) seccomp_unconfined: bool,
    /// A profile in Docker's JSON form, as clients send it.
    pub(crate) seccomp_profile: Option<String>,
}

/// Reads the options. What is not known, or not there on this machine, is refused: it asks for isolation.
pub(crate) fn security(spec: &davit_model::container::ContainerSpec) -> Result<Security, EngineError> {
    let mut security = Security::default();
    for option in &spec.security_opt {
        let (key, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
        match (key, value) {
            ("no-new-privileges", "" | "true") => security.no_new_privileges = true,
            ("no-new-privileges", "false") => security.no_new_privileges = false,
            ("seccomp", "unconfined") => security.seccomp_unconfined = true,
            ("seccomp", "builtin" | "") => {}
            ("seccomp", profile) => security.seccomp_profile = Some(profile.to_owned()),
            ("systempaths", "unconfined") => security.unmasked = true,
            ("label", "disable") | ("apparmor", "unconfined") => {}
            _ => {
                let why = format!("--security-opt {option}: not known, or not possible on this machine");
                return Err(EngineError::invalid(why));
            }
        }
    }
    Ok(security)
}

fn rlimits(ulimits: &[(String, u64, u64)]) -> Result<Vec<oci::PosixRlimit>, EngineError> {
    let one = |(name, soft, hard): &(String, u64, u64)| {
        let wire = format!("RLIMIT_{}", name.to_uppercase());
        let typ: oci::PosixRlimitType = serde_json::from_value(serde_json::Value::String(wire))
            .map_err(|_| EngineError::invalid(format!("invalid ulimit type: {name}")))?;
        oci::PosixRlimitBuilder::default().typ(typ).soft(*soft).hard(*hard).build().map_err(bad)
    };
    ulimits.iter().map(one).collect()
}

fn bad(e: oci_spec::OciSpecError) -> EngineError {
    EngineError::internal("building the runtime specification", e)
}

#[cfg(test)]
mod tests {
    use super::*;
    use davit_model::container::ContainerSpec;

    #[test]
    fn a_security_option_that_is_not_known_is_refused() {
        let with = |o: &str| security(&ContainerSpec { security_opt: vec![o.into()], ..Default::default() });
        assert!(with("no-new-privileges").unwrap().no_new_privileges);
        assert!(with("seccomp=unconfined").unwrap().seccomp_unconfined);
        assert!(with("apparmor=my-profile").is_err());
        assert!(with("nosuch").is_err());
    }

    #[test]
    fn ulimits_are_named_as_the_kernel_does() {
        assert!(rlimits(&[("nofile".into(), 1, 2)]).is_ok());
        assert_eq!(rlimits(&[("nosuch".into(), 1, 2)]).unwrap_err().message(), "invalid ulimit type: nosuch");
    }
}
