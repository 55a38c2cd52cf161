//! From flags to the request that creates a container.

use super::{Spec, device, environment, mount, network, port};
use crate::{
    error::{Error, Result},
    quantity,
};
use davit_api_types::{
    STORAGE_DRIVER_OPTION,
    models::{ContainerCreateBody, HostConfig, HostConfigLogConfig},
};
use std::collections::HashMap;

/// The request for `POST /containers/create`. `detached`: nothing of it will be attached.
pub(crate) fn body(spec: &Spec, detached: bool) -> Result<ContainerCreateBody> {
    let attached = |stream: &str, by_default: bool| {
        !detached
            && if spec.attach.is_empty() {
                by_default
            } else {
                spec.attach.iter().any(|s| s.eq_ignore_ascii_case(stream))
            }
    };
    if let Some(other) =
        spec.attach.iter().find(|s| !["stdin", "stdout", "stderr"].contains(&s.to_ascii_lowercase().as_str()))
    {
        return Err(Error::flag(format!("invalid stream {other:?}: stdin, stdout or stderr")));
    }
    if spec.rm && spec.restart.as_deref().is_some_and(|r| r != "no") {
        return Err(Error::flag("--rm and --restart exclude each other"));
    }
    let (port_bindings, published) = port::published(&spec.publish)?;
    let mut exposed = port::exposed(&spec.expose)?;
    exposed.extend(published);
    let (binds, anonymous) = mount::volumes(&spec.volume)?;
    let (network_mode, networking_config) = network::networks(spec)?;
    let labels = environment::labels(&spec.label, &spec.label_file)?;
    let stdin = attached("stdin", spec.interactive) && spec.interactive;

    Ok(ContainerCreateBody {
        hostname: spec.hostname.clone(),
        domainname: spec.domainname.clone(),
        user: spec.user.clone(),
        attach_stdin: Some(stdin),
        attach_stdout: Some(attached("stdout", true)),
        attach_stderr: Some(attached("stderr", true)),
        exposed_ports: some(exposed),
        tty: Some(spec.tty),
        open_stdin: Some(spec.interactive),
        stdin_once: Some(stdin),
        env: some(environment::environment(&spec.env, &spec.env_file)?),
        cmd: some(spec.command().to_vec()),
        image: Some(spec.image().to_owned()),
        volumes: some(anonymous),
        working_dir: spec.workdir.clone(),
        // An empty entrypoint resets the image's: the API spells that as one empty word.
        entrypoint: spec.entrypoint.clone().map(|word| vec![word]),
        labels: some_map(labels),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: spec.stop_timeout,
        host_config: Some(HostConfig {
            binds: some(binds),
            port_bindings: some_map(port_bindings),
            network_mode,
            ..host_config(spec)?
        }),
        networking_config,
        ..ContainerCreateBody::default()
    })
}

fn host_config(spec: &Spec) -> Result<HostConfig> {
    let bytes = |flag: &Option<String>| flag.as_deref().map(quantity::bytes).transpose();
    let memory_swap = match spec.memory_swap.as_deref() {
        Some("-1") => Some(-1),
        other => other.map(quantity::bytes).transpose()?,
    };
    Ok(HostConfig {
        annotations: some_map(pairs(&spec.annotation)),
        auto_remove: Some(spec.rm),
        cap_add: some(spec.cap_add.clone()),
        cap_drop: some(spec.cap_drop.clone()),
        cgroup_parent: spec.cgroup_parent.clone(),
        cgroupns_mode: spec.cgroupns.as_deref().map(|mode| word("--cgroupns", mode)).transpose()?,
        container_id_file: spec.cidfile.as_ref().map(|p| p.display().to_string()),
        console_size: spec.tty.then(crate::terminal::size).flatten().map(|(h, w)| vec![h.into(), w.into()]),
        cpu_shares: spec.cpu_shares,
        cpuset_cpus: spec.cpuset_cpus.clone(),
        cpuset_mems: spec.cpuset_mems.clone(),
        devices: some(each(&spec.device, device::device)?),
        dns: some(each(&spec.dns, network::name_server)?),
        dns_options: some(spec.dns_option.clone()),
        dns_search: some(spec.dns_search.clone()),
        extra_hosts: some(each(&spec.add_host, network::extra_host)?),
        group_add: some(spec.group_add.clone()),
        init: spec.init.then_some(true),
        ipc_mode: spec.ipc.clone(),
        log_config: log(spec),
        memory: bytes(&spec.memory)?,
        memory_reservation: bytes(&spec.memory_reservation)?,
        memory_swap,
        mounts: some(each(&spec.mount, mount::mount)?),
        nano_cpus: spec.cpus.as_deref().map(quantity::nano_cpus).transpose()?,
        oom_kill_disable: spec.oom_kill_disable.then_some(true),
        oom_score_adj: spec.oom_score_adj,
        pid_mode: spec.pid.clone(),
        pids_limit: spec.pids_limit,
        privileged: Some(spec.privileged),
        publish_all_ports: Some(spec.publish_all),
        readonly_rootfs: Some(spec.read_only),
        restart_policy: spec.restart.as_deref().map(device::restart).transpose()?,
        security_opt: some(security(&spec.security_opt)?),
        shm_size: bytes(&spec.shm_size)?,
        storage_opt: some_map(storage(spec)),
        sysctls: some_map(pairs(&spec.sysctl)),
        tmpfs: some_map(mount::tmpfs(&spec.tmpfs)),
        ulimits: some(each(&spec.ulimit, device::ulimit)?),
        userns_mode: spec.userns.clone(),
        uts_mode: spec.uts.clone(),
        volume_driver: spec.volume_driver.clone(),
        volumes_from: some(spec.volumes_from.clone()),
        ..HostConfig::default()
    })
}

fn storage(spec: &Spec) -> HashMap<String, String> {
    let mut options = pairs(&spec.storage_opt);
    options.extend(spec.storage_driver.clone().map(|name| (STORAGE_DRIVER_OPTION.to_owned(), name)));
    options
}

fn log(spec: &Spec) -> Option<HostConfigLogConfig> {
    (spec.log_driver.is_some() || !spec.log_opt.is_empty())
        .then(|| HostConfigLogConfig { typ: spec.log_driver.clone(), config: Some(pairs(&spec.log_opt)) })
}

/// A seccomp profile is named by a file here and sent by its content: the daemon may be elsewhere.
fn security(flags: &[String]) -> Result<Vec<String>> {
    let one = |flag: &String| match flag.split_once('=') {
        Some(("seccomp", path)) if !matches!(path, "unconfined" | "builtin") => {
            let text =
                std::fs::read_to_string(path).map_err(|e| Error::flag(format!("read seccomp profile {path}: {e}")))?;
            serde_json::from_str::<serde_json::Value>(&text)
                .map_err(|e| Error::flag(format!("seccomp profile {path}: {e}")))?;
            Ok(format!("seccomp={text}"))
        }
        _ => Ok(flag.clone()),
    };
    flags.iter().map(one).collect()
}

fn word<T: serde::de::DeserializeOwned>(flag: &str, text: &str) -> Result<T> {
    serde_json::from_value(text.into()).map_err(|_| Error::flag(format!("invalid {flag}: {text:?}")))
}

fn pairs(flags: &[String]) -> HashMap<String, String> {
    flags.iter().map(|flag| environment::pair(flag)).collect()
}

fn each<T>(flags: &[String], read: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    flags.iter().map(|flag| read(flag)).collect()
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn some_map<K, V>(map: HashMap<K, V>) -> Option<HashMap<K, V>> {
    (!map.is_empty()).then_some(map)
}
