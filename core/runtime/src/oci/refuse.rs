//! What a bundle may ask for and this runtime does not do. It is refused: a container that runs with less isolation than
//! its bundle says would be worse than none. Empty values ask for nothing.

use super::OciError;
use oci_spec::runtime::{Linux, LinuxIdMapping, Mount, Process, Spec};
use std::collections::HashMap;

/// Refuses the first such request, by the name that it has in `config.json`.
pub(super) fn unsupported(oci: &Spec) -> Result<(), OciError> {
    let named = oci.process().as_ref().and_then(of_process).or_else(|| oci.linux().as_ref().and_then(of_linux));
    let mounts = || oci.mounts().iter().flatten().find_map(of_mount);
    match named.or_else(|| hooks(oci)).map(str::to_owned).or_else(mounts) {
        Some(what) => Err(OciError::Unsupported(what)),
        None => Ok(()),
    }
}

fn of_process(process: &Process) -> Option<&'static str> {
    // `execCPUAffinity` is not here: it is about processes that join a container later (config.md, "Linux Process").
    first(&[
        (text(process.apparmor_profile().as_ref()), "process.apparmorProfile"),
        (text(process.selinux_label().as_ref()), "process.selinuxLabel"),
        (process.scheduler().is_some(), "process.scheduler"),
        (process.io_priority().is_some(), "process.ioPriority"),
    ])
}

fn of_linux(linux: &Linux) -> Option<&'static str> {
    first(&[
        (linux.personality().is_some(), "linux.personality"),
        (text(linux.mount_label().as_ref()), "linux.mountLabel"),
        (linux.intel_rdt().is_some(), "linux.intelRdt"),
        (linux.memory_policy().is_some(), "linux.memoryPolicy"),
        (mapped(linux.uid_mappings().as_ref()), "linux.uidMappings"),
        (mapped(linux.gid_mappings().as_ref()), "linux.gidMappings"),
        (entries(linux.time_offsets().as_ref()), "linux.timeOffsets"),
        (entries(linux.net_devices().as_ref()), "linux.netDevices"),
    ])
}

fn hooks(oci: &Spec) -> Option<&'static str> {
    let hooks = oci.hooks().as_ref()?;
    let has = |list: &Option<Vec<_>>| list.as_ref().is_some_and(|l| !l.is_empty());
    first(&[
        (has(hooks.prestart()), "hooks.prestart"),
        (has(hooks.create_runtime()), "hooks.createRuntime"),
        (has(hooks.create_container()), "hooks.createContainer"),
        (has(hooks.start_container()), "hooks.startContainer"),
        (has(hooks.poststart()), "hooks.poststart"),
        (has(hooks.poststop()), "hooks.poststop"),
    ])
}

fn of_mount(mount: &Mount) -> Option<String> {
    let options = mount.options().as_deref().unwrap_or_default();
    let asked = mapped(mount.uid_mappings().as_ref())
        || mapped(mount.gid_mappings().as_ref())
        || options.iter().any(|o| o == "idmap" || o == "ridmap");
    asked.then(|| format!("id mappings of the mount on {}", mount.destination().display()))
}

fn first(asked: &[(bool, &'static str)]) -> Option<&'static str> {
    asked.iter().find(|(is, _)| *is).map(|(_, name)| *name)
}

fn text(value: Option<&String>) -> bool {
    value.is_some_and(|v| !v.is_empty())
}

fn mapped(value: Option<&Vec<LinuxIdMapping>>) -> bool {
    value.is_some_and(|v| !v.is_empty())
}

fn entries<T>(value: Option<&HashMap<String, T>>) -> bool {
    value.is_some_and(|v| !v.is_empty())
}
