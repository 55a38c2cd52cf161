//! A parsed request to make a container: what a client asked, with the image's own configuration not yet merged in.
//! This is also what lifecycle policy sees and adjusts, so its JSON form is part of the plugin contract.

use crate::network::PortRequest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that is asked of a container. Absent fields mean: as the image says, or the engine's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContainerSpec {
    /// The image, as the client wrote it.
    pub image: String,
    /// Replaces the image's entry point; an empty list removes it.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command.
    pub cmd: Option<Vec<String>>,
    /// Added to the image's environment; a value of none removes the name.
    pub env: BTreeMap<String, Option<String>>,
    /// Replaces the image's working directory; made where it is missing.
    pub working_dir: Option<String>,
    /// `user`, `user:group`, by name or number.
    pub user: Option<String>,
    /// Supplementary groups, by name or number.
    pub groups: Vec<String>,
    /// Added to the image's labels.
    pub labels: BTreeMap<String, String>,
    /// Host name; default: the short id.
    pub hostname: Option<String>,
    /// Domain name.
    pub domainname: Option<String>,
    /// A terminal for standard streams.
    pub tty: bool,
    /// Standard input stays open.
    pub open_stdin: bool,
    /// Standard input closes when the first attached client leaves.
    pub stdin_once: bool,
    /// Signal that `stop` sends; default: the image's, or SIGTERM.
    pub stop_signal: Option<String>,
    /// Seconds that `stop` waits; default 10.
    pub stop_timeout: Option<i64>,
    /// The record is removed when the container ends.
    pub auto_remove: bool,
    /// Everything is allowed, nothing is masked.
    pub privileged: bool,
    /// The root file system is mounted read-only.
    pub read_only: bool,
    /// A small init of ours runs as pid 1. Refused until it exists.
    pub init: bool,
    /// Capabilities added to the default set, without `CAP_`; `ALL` for all.
    pub cap_add: Vec<String>,
    /// Capabilities dropped from it; `ALL` for all.
    pub cap_drop: Vec<String>,
    /// `no-new-privileges`, `seccomp=unconfined`, ….
    pub security_opt: Vec<String>,
    /// Limits.
    pub limits: Limits,
    /// What is mounted where.
    pub mounts: Vec<MountRequest>,
    /// Network: `default`, `bridge`, `host`, `none`, or a network's name.
    pub network: String,
    /// Names beside the container's own on its network.
    pub aliases: Vec<String>,
    /// Addresses asked for.
    pub ipv4_address: Option<std::net::IpAddr>,
    /// Addresses asked for.
    pub ipv6_address: Option<std::net::IpAddr>,
    /// MAC address asked for.
    pub mac_address: Option<String>,
    /// Ports to publish.
    pub ports: Vec<PortRequest>,
    /// Ports that the container listens on, `80/tcp`; for information.
    pub exposed_ports: Vec<String>,
    /// Lines for `/etc/hosts`, `name:address`.
    pub extra_hosts: Vec<String>,
    /// Name servers; empty: the network's.
    pub dns: Vec<String>,
    /// Search domains.
    pub dns_search: Vec<String>,
    /// Options of resolv.conf.
    pub dns_options: Vec<String>,
    /// Settings of namespaced sysctls.
    pub sysctls: BTreeMap<String, String>,
    /// Resource limits of processes: name (`nofile`), soft, hard.
    pub ulimits: Vec<(String, u64, u64)>,
    /// tmpfs mounts: path to options (`size=64m,mode=1777`).
    pub tmpfs: BTreeMap<String, String>,
    /// Size of `/dev/shm` in bytes; default 64 MiB.
    pub shm_size: Option<u64>,
    /// The storage driver, where it is not the site's default.
    pub storage_driver: Option<String>,
    /// What is wanted of its storage, by the driver's own names: `size`.
    #[serde(default)]
    pub storage_settings: BTreeMap<String, String>,
    /// Namespaces shared with the host: `pid`, `ipc`, `uts`.
    pub host_namespaces: Vec<String>,
    /// Devices of the host.
    pub devices: Vec<DeviceRequest>,
    /// Adjustment of the out-of-memory score.
    pub oom_score_adj: Option<i32>,
    /// What happens when it ends: `no`, `always`, `unless-stopped`, `on-failure`.
    pub restart_policy: Option<String>,
    /// Most tries of `on-failure`; 0: no limit.
    pub restart_max: u32,
    /// Secrets of the site by the path of their file. Lifecycle policy alone says this: no client can.
    pub secret_files: BTreeMap<String, SecretFile>,
    /// The request as the API got it, for `inspect`; empty where the container was made otherwise.
    pub as_asked: serde_json::Value,
}

/// Limits on a container. Absent: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes of memory and swap together; -1: no limit.
    pub memory_swap: Option<i64>,
    /// Bytes of memory below which nothing is reclaimed.
    pub memory_reservation: Option<u64>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<u64>,
    /// Weight against others, 2 to 262144; 1024 is ordinary.
    pub cpu_shares: Option<u64>,
    /// Microseconds of CPU in each period.
    pub cpu_quota: Option<i64>,
    /// The period in microseconds.
    pub cpu_period: Option<u64>,
    /// CPUs, `0-2,4`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes.
    pub cpuset_mems: Option<String>,
    /// Processes and threads; negative where a limit was taken away.
    pub pids: Option<i64>,
}

/// A mount that a client asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountRequest {
    /// What.
    pub source: MountSource,
    /// Where in the container; absolute.
    pub target: String,
    /// Not to be written to.
    pub read_only: bool,
    /// `rprivate`, `private`, `rshared`, `shared`, `rslave`, `slave`; default `rprivate`.
    pub propagation: Option<String>,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountSource {
    /// A file or folder of the host, by absolute path.
    Bind {
        /// The path.
        path: String,
        /// Made as a folder where it is missing (`-v` does, `--mount` does not).
        create: bool,
    },
    /// A named volume.
    Volume {
        /// The name; none: a new anonymous one.
        name: Option<String>,
        /// An empty volume stays empty; else it gets what the image has at the target.
        #[serde(default)]
        no_copy: bool,
    },
    /// Memory.
    Tmpfs {
        /// Bytes.
        size: Option<u64>,
        /// Mode of the root, octal.
        mode: Option<u32>,
    },
}

/// A device of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// Path on the host.
    pub host: String,
    /// Path in the container.
    pub container: String,
    /// Any of `r`, `w`, `m`.
    pub permissions: String,
}

/// A secret of the site that a container gets as a file in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretFile {
    /// Its name in the site's `[secrets]`.
    pub secret: String,
    /// Permission bits.
    pub mode: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl SecretFile {
    const FIELD: &str = "/secret_files";

    /// Whether a JSON pointer is to the secrets of a request, or to one of them.
    pub fn is_at(pointer: &str) -> bool {
        pointer.strip_prefix(Self::FIELD).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The JSON pointer (RFC 6901) to the secret of the file `at`.
    pub fn pointer(at: &str) -> String {
        format!("{}/{}", Self::FIELD, at.replace('~', "~0").replace('/', "~1"))
    }

    /// Whether it can be the file `at`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self, at: &str) -> Result<(), String> {
        let plain = at.strip_prefix('/').is_some_and(|rest| {
            rest.split('/').all(|part| !part.is_empty() && part != "." && part != "..") && !rest.contains('\0')
        });
        if !plain || at.len() > 4096 {
            let shown: String = at.chars().take(160).collect();
            return Err(format!("a secret's file is an absolute path without \".\" and \"..\", not {shown:?}"));
        }
        if self.mode > 0o777 {
            return Err(format!("{at}: the mode of a secret's file is at most 0777, not {:o}", self.mode));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_to_a_plain_path_with_plain_permissions() {
        let file = |mode| SecretFile { secret: "key".into(), mode, uid: 0, gid: 0 };
        assert!(file(0o400).check("/run/secrets/key").is_ok());
        for at in ["", "key", "/", "/a//b", "/a/../b", "/a/.", "/a\0b"] {
            assert!(file(0o400).check(at).is_err(), "{at:?}");
        }
        assert!(file(0o4755).check("/run/secrets/key").unwrap_err().contains("4755"));
        assert_eq!(SecretFile::pointer("/a/~b"), "/secret_files/~1a~1~0b");
        assert!(SecretFile::is_at("/secret_files/x") && !SecretFile::is_at("/secret_files_too"));
    }
}
