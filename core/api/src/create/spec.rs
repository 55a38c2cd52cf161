//! From the wire to a `ContainerSpec`.

use super::{
    body::{CreateBody, HostConfig},
    leftover, limits, mounts, network, ports,
};
use crate::failure::ApiError;
use davit_model::{
    container::{ContainerSpec, DeviceRequest},
    reference::Reference,
};
use serde_json::Value;

/// A request, understood.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What is asked.
    pub(crate) spec: ContainerSpec,
    /// Every exposed port is to be published, those of the image too.
    pub(crate) publish_all: bool,
    /// What the client should know.
    pub(crate) warnings: Vec<String>,
}

/// Translates a request.
pub(crate) fn to_spec(as_asked: Value) -> Result<Asked, ApiError> {
    let body: CreateBody =
        serde_json::from_value(as_asked.clone()).map_err(|e| ApiError::invalid(format!("invalid JSON: {e}")))?;
    let mut warnings = Vec::new();
    leftover::check("", &body.rest, &mut warnings)?;
    let image = body.image.clone().unwrap_or_default();
    // Before anybody looks for it: a name that cannot be one is not missing.
    image.parse::<Reference>().map_err(|e| ApiError::invalid(e.to_string()))?;
    let mut spec = ContainerSpec {
        image,
        entrypoint: entrypoint(&body),
        cmd: body.cmd.clone().filter(|c| !c.is_empty()),
        working_dir: text(&body.working_dir),
        user: text(&body.user),
        labels: body.labels.clone().unwrap_or_default(),
        hostname: text(&body.hostname),
        domainname: text(&body.domainname),
        tty: body.tty.unwrap_or(false),
        open_stdin: body.open_stdin.unwrap_or(false),
        stdin_once: body.stdin_once.unwrap_or(false),
        stop_signal: text(&body.stop_signal),
        stop_timeout: body.stop_timeout,
        exposed_ports: ports::exposed(body.exposed_ports.iter().flat_map(|s| s.keys()))?,
        as_asked,
        ..ContainerSpec::default()
    };
    for entry in body.env.iter().flatten() {
        match entry.split_once('=') {
            Some(("", _)) => return Err(ApiError::invalid(format!("invalid environment variable: {entry}"))),
            Some((name, value)) => spec.env.insert(name.to_owned(), Some(value.to_owned())),
            None => spec.env.insert(entry.clone(), None),
        };
    }
    network::fill(&mut spec, &body)?;
    let default = HostConfig::default();
    let host = body.host_config.as_ref().unwrap_or(&default);
    fill_host(&mut spec, host, &mut warnings)?;
    for target in body.volumes.iter().flat_map(|v| v.keys()) {
        if !spec.mounts.iter().any(|m| m.target == *target) {
            spec.mounts.push(mounts::anonymous(target)?);
        }
    }
    Ok(Asked { spec, publish_all: host.publish_all_ports.unwrap_or(false), warnings })
}

/// `[""]` is how clients take an image's entry point away; an empty list asks for nothing.
fn entrypoint(body: &CreateBody) -> Option<Vec<String>> {
    match body.entrypoint.as_deref() {
        None | Some([]) => None,
        Some([empty]) if empty.is_empty() => Some(Vec::new()),
        Some(words) => Some(words.to_vec()),
    }
}

fn fill_host(spec: &mut ContainerSpec, host: &HostConfig, warnings: &mut Vec<String>) -> Result<(), ApiError> {
    leftover::check("HostConfig.", &host.rest, warnings)?;
    spec.storage_settings = host.storage_opt.clone().unwrap_or_default().into_iter().collect();
    spec.storage_driver = spec.storage_settings.remove(davit_api_types::STORAGE_DRIVER_OPTION);
    check_words(host)?;
    for bind in host.binds.iter().flatten() {
        spec.mounts.push(mounts::bind(bind)?);
    }
    for mount in host.mounts.iter().flatten() {
        spec.mounts.push(mounts::mount(mount, warnings)?);
    }
    let mut targets: Vec<&str> = spec.mounts.iter().map(|m| m.target.as_str()).collect();
    targets.sort_unstable();
    if let Some(twice) = targets.windows(2).find(|w| w.first() == w.last()).and_then(|w| w.first()) {
        return Err(ApiError::invalid(format!("Duplicate mount point: {twice}")));
    }
    spec.tmpfs = host.tmpfs.clone().unwrap_or_default();
    spec.ports = ports::published(host.port_bindings.as_ref().unwrap_or(&Default::default()))?;
    spec.auto_remove = host.auto_remove.unwrap_or(false);
    restart(spec, host)?;
    spec.privileged = host.privileged.unwrap_or(false);
    spec.read_only = host.readonly_rootfs.unwrap_or(false);
    spec.init = host.init.unwrap_or(false);
    spec.cap_add = capabilities(&host.cap_add);
    spec.cap_drop = capabilities(&host.cap_drop);
    spec.security_opt = host.security_opt.clone().unwrap_or_default();
    unmask(spec, host)?;
    spec.groups = host.group_add.clone().unwrap_or_default();
    spec.dns = network::name_servers(host)?;
    spec.dns_options = host.dns_options.clone().unwrap_or_default();
    spec.dns_search = host.dns_search.clone().unwrap_or_default();
    spec.extra_hosts = network::extra_hosts(host)?;
    spec.sysctls = host.sysctls.clone().unwrap_or_default();
    spec.oom_score_adj = host.oom_score_adj.filter(|s| *s != 0);
    spec.limits = limits::limits(host)?;
    let shm = host.shm_size.filter(|s| *s != 0).map(u64::try_from).transpose();
    spec.shm_size = shm.map_err(|_| ApiError::invalid("SHM size can not be less than 0"))?;
    for u in host.ulimits.iter().flatten() {
        let name = u.name.clone().unwrap_or_default();
        // -1 is no limit, which the kernel writes as the greatest number.
        let number = |n: Option<i64>| u64::try_from(n.unwrap_or(0)).unwrap_or(u64::MAX);
        let (soft, hard) = (number(u.soft), number(u.hard));
        if soft > hard {
            let why = format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}");
            return Err(ApiError::invalid(why));
        }
        spec.ulimits.push((name, soft, hard));
    }
    for d in host.devices.iter().flatten() {
        let path = d.path_on_host.clone().unwrap_or_default();
        spec.devices.push(DeviceRequest {
            container: text(&d.path_in_container).unwrap_or_else(|| path.clone()),
            permissions: text(&d.cgroup_permissions).unwrap_or_else(|| "rwm".to_owned()),
            host: path,
        });
    }
    for (name, mode) in [("pid", &host.pid_mode), ("ipc", &host.ipc_mode), ("uts", &host.uts_mode)] {
        match mode.as_deref().unwrap_or("") {
            "" | "private" => {}
            "shareable" if name == "ipc" => {}
            "host" => spec.host_namespaces.push(name.to_owned()),
            other => return Err(leftover::refused(&format!("HostConfig: {name} namespace {other:?}"))),
        }
    }
    Ok(())
}

/// Fields of which this engine knows one value only.
fn check_words(host: &HostConfig) -> Result<(), ApiError> {
    let only = |field: &str, value: &Option<String>, known: &[&str]| match value.as_deref().unwrap_or("") {
        "" => Ok(()),
        value if known.contains(&value) => Ok(()),
        value => Err(leftover::refused(&format!("HostConfig.{field} {value:?}"))),
    };
    only("UsernsMode", &host.userns_mode, &["host"])?;
    only("CgroupnsMode", &host.cgroupns_mode, &["private"])?;
    only("Runtime", &host.runtime, &["davit", "runc"])?;
    only("Isolation", &host.isolation, &["default"])?;
    only("VolumeDriver", &host.volume_driver, &["local"])?;
    if let Some(log) = &host.log_config {
        only("LogConfig.Type", &log.kind, &["json-file", "local", "default"])?;
        if log.config.as_ref().is_some_and(|c| !c.is_empty()) {
            return Err(leftover::refused("HostConfig.LogConfig.Config (--log-opt)"));
        }
    }
    Ok(())
}

fn restart(spec: &mut ContainerSpec, host: &HostConfig) -> Result<(), ApiError> {
    let Some((name, tries)) = restart_policy(host)?.filter(|(name, _)| name != "no") else { return Ok(()) };
    if spec.auto_remove {
        return Err(ApiError::invalid("can't create 'AutoRemove' container with restart policy"));
    }
    (spec.restart_policy, spec.restart_max) = (Some(name), tries);
    Ok(())
}

/// The policy's name and its most tries; none where the client says nothing.
pub(super) fn restart_policy(host: &HostConfig) -> Result<Option<(String, u32)>, ApiError> {
    let Some(policy) = &host.restart_policy else { return Ok(None) };
    let name = policy.name.as_deref().unwrap_or("");
    let tries = policy.maximum_retry_count.unwrap_or(0);
    let tries = u32::try_from(tries)
        .map_err(|_| ApiError::invalid("invalid restart policy: maximum retry count cannot be negative"))?;
    match name {
        "" => return Ok(None),
        "no" | "on-failure" => {}
        "always" | "unless-stopped" if tries == 0 => {}
        "always" | "unless-stopped" => {
            let why = "invalid restart policy: maximum retry count can only be used with 'on-failure'";
            return Err(ApiError::invalid(why));
        }
        other => return Err(ApiError::invalid(format!("invalid restart policy: unknown policy '{other}'"))),
    }
    Ok(Some((name.to_owned(), tries)))
}

/// Empty lists of masked and read-only paths are how clients write `systempaths=unconfined`.
fn unmask(spec: &mut ContainerSpec, host: &HostConfig) -> Result<(), ApiError> {
    match (host.masked_paths.as_deref(), host.readonly_paths.as_deref()) {
        (None, None) => {}
        (Some([]), Some([])) => spec.security_opt.push("systempaths=unconfined".to_owned()),
        _ => return Err(leftover::refused("HostConfig.MaskedPaths or ReadonlyPaths with paths of its own")),
    }
    Ok(())
}

fn capabilities(list: &Option<Vec<String>>) -> Vec<String> {
    let bare = |c: &String| {
        let upper = c.to_ascii_uppercase();
        upper.strip_prefix("CAP_").map_or_else(|| upper.clone(), str::to_owned)
    };
    list.iter().flatten().map(bare).collect()
}

fn text(value: &Option<String>) -> Option<String> {
    value.clone().filter(|v| !v.is_empty())
}
