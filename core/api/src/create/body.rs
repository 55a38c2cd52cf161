//! The request as it stands on the wire. Go clients write null for whatever is empty, so every field may be absent or
//! null; what is not named here is kept in `rest`.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// Fields that no struct names.
pub(crate) type Rest = BTreeMap<String, Value>;
/// Keys that matter, with values that do not: Go's way to write a set.
pub(crate) type Set = BTreeMap<String, Value>;

/// The body of a create request.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct CreateBody {
    pub(crate) image: Option<String>,
    #[serde(deserialize_with = "words")]
    pub(crate) cmd: Option<Vec<String>>,
    #[serde(deserialize_with = "words")]
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) env: Option<Vec<String>>,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    pub(crate) working_dir: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) domainname: Option<String>,
    pub(crate) tty: Option<bool>,
    pub(crate) open_stdin: Option<bool>,
    pub(crate) stdin_once: Option<bool>,
    pub(crate) stop_signal: Option<String>,
    pub(crate) stop_timeout: Option<i64>,
    pub(crate) exposed_ports: Option<Set>,
    pub(crate) volumes: Option<Set>,
    pub(crate) network_disabled: Option<bool>,
    pub(crate) mac_address: Option<String>,
    pub(crate) host_config: Option<HostConfig>,
    pub(crate) networking_config: Option<NetworkingConfig>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

/// What a container asks of its host.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct HostConfig {
    pub(crate) binds: Option<Vec<String>>,
    pub(crate) mounts: Option<Vec<Mount>>,
    pub(crate) tmpfs: Option<BTreeMap<String, String>>,
    pub(crate) volume_driver: Option<String>,
    pub(crate) port_bindings: Option<BTreeMap<String, Option<Vec<PortBinding>>>>,
    pub(crate) publish_all_ports: Option<bool>,
    pub(crate) restart_policy: Option<RestartPolicy>,
    pub(crate) auto_remove: Option<bool>,
    pub(crate) network_mode: Option<String>,
    pub(crate) cap_add: Option<Vec<String>>,
    pub(crate) cap_drop: Option<Vec<String>>,
    pub(crate) security_opt: Option<Vec<String>>,
    pub(crate) masked_paths: Option<Vec<String>>,
    pub(crate) readonly_paths: Option<Vec<String>>,
    pub(crate) privileged: Option<bool>,
    pub(crate) readonly_rootfs: Option<bool>,
    pub(crate) init: Option<bool>,
    pub(crate) group_add: Option<Vec<String>>,
    pub(crate) dns: Option<Vec<String>>,
    pub(crate) dns_options: Option<Vec<String>>,
    pub(crate) dns_search: Option<Vec<String>>,
    pub(crate) extra_hosts: Option<Vec<String>>,
    pub(crate) sysctls: Option<BTreeMap<String, String>>,
    pub(crate) ulimits: Option<Vec<Ulimit>>,
    pub(crate) shm_size: Option<i64>,
    pub(crate) devices: Option<Vec<Device>>,
    pub(crate) oom_score_adj: Option<i32>,
    pub(crate) pid_mode: Option<String>,
    pub(crate) ipc_mode: Option<String>,
    #[serde(rename = "UTSMode")]
    pub(crate) uts_mode: Option<String>,
    pub(crate) userns_mode: Option<String>,
    pub(crate) cgroupns_mode: Option<String>,
    pub(crate) runtime: Option<String>,
    pub(crate) storage_opt: Option<BTreeMap<String, String>>,
    pub(crate) isolation: Option<String>,
    pub(crate) log_config: Option<LogConfig>,
    pub(crate) memory: Option<i64>,
    pub(crate) memory_swap: Option<i64>,
    pub(crate) memory_reservation: Option<i64>,
    pub(crate) memory_swappiness: Option<i64>,
    pub(crate) nano_cpus: Option<i64>,
    pub(crate) cpu_shares: Option<i64>,
    pub(crate) cpu_quota: Option<i64>,
    pub(crate) cpu_period: Option<i64>,
    pub(crate) cpuset_cpus: Option<String>,
    pub(crate) cpuset_mems: Option<String>,
    pub(crate) pids_limit: Option<i64>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

/// A mount of the `--mount` kind.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Mount {
    #[serde(rename = "Type")]
    pub(crate) kind: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) read_only: Option<bool>,
    pub(crate) consistency: Option<String>,
    pub(crate) bind_options: Option<BindOptions>,
    pub(crate) volume_options: Option<VolumeOptions>,
    pub(crate) tmpfs_options: Option<TmpfsOptions>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

/// How a bind mount is made.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct BindOptions {
    pub(crate) propagation: Option<String>,
    pub(crate) create_mountpoint: Option<bool>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

/// How a volume is used.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct VolumeOptions {
    pub(crate) no_copy: Option<bool>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

/// How a tmpfs is made.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TmpfsOptions {
    pub(crate) size_bytes: Option<i64>,
    pub(crate) mode: Option<u32>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

/// Where a port is published.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PortBinding {
    pub(crate) host_ip: Option<String>,
    pub(crate) host_port: Option<String>,
}

/// What happens when it ends.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RestartPolicy {
    pub(crate) name: Option<String>,
    pub(crate) maximum_retry_count: Option<i64>,
}

/// A resource limit of processes; -1 is no limit.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Ulimit {
    pub(crate) name: Option<String>,
    pub(crate) soft: Option<i64>,
    pub(crate) hard: Option<i64>,
}

/// A device of the host.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Device {
    pub(crate) path_on_host: Option<String>,
    pub(crate) path_in_container: Option<String>,
    pub(crate) cgroup_permissions: Option<String>,
}

/// Where output is kept.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct LogConfig {
    #[serde(rename = "Type")]
    pub(crate) kind: Option<String>,
    pub(crate) config: Option<BTreeMap<String, String>>,
}

/// Networks by name.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct NetworkingConfig {
    pub(crate) endpoints_config: Option<BTreeMap<String, Option<Endpoint>>>,
}

/// A place on a network.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Endpoint {
    #[serde(rename = "IPAMConfig")]
    pub(crate) ipam_config: Option<EndpointAddresses>,
    pub(crate) aliases: Option<Vec<String>>,
    pub(crate) mac_address: Option<String>,
    pub(crate) links: Option<Vec<String>>,
    pub(crate) driver_opts: Option<BTreeMap<String, String>>,
}

/// Addresses asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EndpointAddresses {
    #[serde(rename = "IPv4Address")]
    pub(crate) ipv4_address: Option<String>,
    #[serde(rename = "IPv6Address")]
    pub(crate) ipv6_address: Option<String>,
}

/// A list of words, or one word alone.
fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        One(String),
        Many(Vec<String>),
    }
    Ok(Option::<Words>::deserialize(from)?.map(|w| match w {
        Words::One(word) => vec![word],
        Words::Many(words) => words,
    }))
}
