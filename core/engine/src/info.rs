//! `version` and `info`: what this engine is and what it found on this machine.

use crate::{Engine, EngineError, Machine, record::Status};
use std::collections::BTreeMap;

/// What this engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Davit's version.
    pub version: String,
    /// `linux`.
    pub os: String,
    /// The architecture in Go's words, as the API wants: `amd64`, `arm64`.
    pub arch: String,
    /// The kernel's release.
    pub kernel: String,
}

/// What this engine has and found.
#[derive(Clone, Debug, Default)]
pub struct Info {
    /// The engine's own id, stable for its data root.
    pub id: String,
    /// Containers by state.
    pub containers: BTreeMap<Status, usize>,
    /// Images.
    pub images: usize,
    /// The default storage driver.
    pub driver: String,
    /// Facts of the storage, by words.
    pub driver_status: Vec<(String, String)>,
    /// Network drivers.
    pub network_drivers: Vec<String>,
    /// Loaded plugins.
    pub plugins: Vec<crate::policy::LoadedPlugin>,
    /// `1` or `2`.
    pub cgroup_version: String,
    /// What the machine can do for containers.
    pub machine: Machine,
    /// What is missing on this machine.
    pub warnings: Vec<String>,
    /// Data root.
    pub root: String,
    /// Host name.
    pub hostname: String,
    /// Kernel release.
    pub kernel: String,
    /// The distribution's pretty name.
    pub operating_system: String,
    /// `x86_64`, ….
    pub architecture: String,
    /// CPUs.
    pub cpus: usize,
    /// Bytes of memory.
    pub memory: u64,
}

impl Engine {
    /// What this engine is.
    pub async fn version(&self) -> Version {
        Version {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            os: "linux".to_owned(),
            arch: go_arch().to_owned(),
            kernel: kernel_release(),
        }
    }

    /// What this engine has and found.
    pub async fn info(&self) -> Result<Info, EngineError> {
        let policy = self.inner.policy();
        let mut containers = BTreeMap::new();
        for container in self.inner.containers.all() {
            *containers.entry(container.read(|r| r.state.status)).or_default() += 1;
        }
        let uname = rustix::system::uname();
        let machine = self.machine().await;
        Ok(Info {
            id: self.inner.instance.clone(),
            containers,
            images: self.inner.store.images().await.map_err(crate::images::store_error)?.len(),
            driver: policy.default_storage.clone(),
            driver_status: Vec::new(),
            network_drivers: policy.network.keys().cloned().collect(),
            plugins: policy.plugins.clone(),
            cgroup_version: match self.inner.cgroups.mode() {
                davit_runtime::cgroup::Mode::Unified => "2".to_owned(),
                _ => "1".to_owned(),
            },
            warnings: machine.warnings(),
            machine,
            root: self.inner.options.data_root.display().to_string(),
            hostname: uname.nodename().to_string_lossy().into_owned(),
            kernel: kernel_release(),
            operating_system: operating_system(),
            architecture: uname.machine().to_string_lossy().into_owned(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory_total(),
        })
    }
}

/// The running architecture in Go's words.
pub(crate) fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

fn operating_system() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pretty = text.lines().find_map(|l| l.strip_prefix("PRETTY_NAME="));
    pretty.map_or_else(|| "Linux".to_owned(), |p| p.trim_matches('"').to_owned())
}

pub(crate) fn memory_total() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"));
    let kib: u64 = line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0);
    kib * 1024
}
