//! What the tests of this crate share: components compiled for real, and a host's services made of memory.

use async_trait::async_trait;
use davit_model::{
    auth::{Credential, ManifestReader},
    digest::Digest,
    error::PolicyError,
    network::{AddressLease, Leases, PortRequest, SubnetId},
    secret::Secret,
    services::{HostServices, HttpRequest, HttpResponse, LogLevel},
    state::StateWrites,
};
use davit_plugin_host::{Grant, HostOptions, Plugin, PluginHost, Source};
use ipnet::IpNet;
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// Compiles guests or shipped plugins by the build's own program, once in a test binary, and answers their folder.
pub(crate) fn built(verb: &[&str], folder: &str) -> PathBuf {
    static LOCK: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut done = LOCK.lock().unwrap();
    if let Some(path) = done.get(folder) {
        return path.clone();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    // Whoever built everything before says so, and spares a cargo within a cargo.
    if std::env::var_os("DAVIT_COMPONENTS_BUILT").is_none() {
        let status = Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--release", "--package", "xtask", "--"])
            .args(verb)
            .current_dir(root)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "the components do not build");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    let path = target.join(folder);
    done.insert(folder.to_owned(), path.clone());
    path
}

/// The bytes of a misbehaving guest.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    std::fs::read(built(&["guests"], "plugins/guests").join(format!("{name}.wasm"))).unwrap()
}

/// The behaviours that a guest's source tells apart by name.
pub(crate) fn behaviours_of(source: &str) -> BTreeSet<&str> {
    source
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => ").map(|(name, _)| name))
        .collect()
}

/// The file of a shipped plugin.
pub(crate) fn shipped(name: &str) -> PathBuf {
    built(&["build", "--plugins-only"], "release/plugins").join(format!("{name}.wasm"))
}

type Web = Box<dyn Fn(HttpRequest) -> Result<HttpResponse, PolicyError> + Send + Sync>;

/// Services made of memory. What has the word `stuck` in its name is never answered.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) config: Mutex<serde_json::Value>,
    pub(crate) state: Mutex<BTreeMap<String, Vec<u8>>>,
    pub(crate) lines: Mutex<Vec<(LogLevel, String)>>,
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) stored: Mutex<Option<Credential>>,
    pub(crate) web: Mutex<Option<Web>>,
    pub(crate) asked: Mutex<Vec<HttpRequest>>,
    pub(crate) passed_ms: AtomicU64,
}

impl Memory {
    /// Lets time pass.
    pub(crate) fn later(&self, ms: u64) {
        self.passed_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

async fn unless_stuck(name: &str) {
    if name.contains("stuck") {
        std::future::pending().await
    }
}

#[async_trait]
impl HostServices for Memory {
    fn log(&self, _: &str, level: LogLevel, message: &str) {
        self.lines.lock().unwrap().push((level, message.to_owned()));
    }
    async fn config(&self, _: &str) -> Result<serde_json::Value, PolicyError> {
        let config = self.config.lock().unwrap().clone();
        // The contract has an object always, and so does the daemon.
        Ok(if config.is_null() { serde_json::json!({}) } else { config })
    }
    async fn state_get(&self, _: &str, key: &str) -> Result<Option<Vec<u8>>, PolicyError> {
        unless_stuck(key).await;
        Ok(self.state.lock().unwrap().get(key).cloned())
    }
    async fn state_commit(&self, writes: &StateWrites) -> Result<(), PolicyError> {
        let mut state = self.state.lock().unwrap();
        for write in &writes.writes {
            if state.get(&write.key) != write.expected.as_ref() {
                return Err(PolicyError::Conflict(write.key.clone()));
            }
            match write.new.clone() {
                Some(value) => state.insert(write.key.clone(), value),
                None => state.remove(&write.key),
            };
        }
        Ok(())
    }
    async fn state_keys(&self, _: &str, prefix: &str) -> Result<Vec<String>, PolicyError> {
        Ok(self.state.lock().unwrap().keys().filter(|k| k.starts_with(prefix)).cloned().collect())
    }
    async fn secret(&self, _: &str, name: &str) -> Result<Secret, PolicyError> {
        unless_stuck(name).await;
        self.secrets.get(name).map(Secret::new).ok_or_else(|| PolicyError::NotFound(format!("secret {name}")))
    }
    async fn stored_credential(&self, _: &str, server: &str) -> Result<Option<Credential>, PolicyError> {
        Ok(self.stored.lock().unwrap().clone().filter(|c| c.server == server))
    }
    async fn http(&self, _: &str, request: HttpRequest) -> Result<HttpResponse, PolicyError> {
        self.asked.lock().unwrap().push(request.clone());
        unless_stuck(&request.url).await;
        let web = self.web.lock().unwrap();
        web.as_ref().map_or_else(|| Err(PolicyError::NotFound("no web here".to_owned())), |web| web(request))
    }
    fn now_ms(&self) -> u64 {
        1_700_000_000_000 + self.passed_ms.load(Ordering::Relaxed)
    }
}

/// A host on a fresh folder; keep the folder as long as the host.
pub(crate) struct Bench {
    pub(crate) host: PluginHost,
    pub(crate) services: Arc<Memory>,
    _dir: tempfile::TempDir,
}

/// A host over these services. Compiled forms are shared by all tests of a binary.
pub(crate) fn bench(services: Memory) -> Bench {
    static FORMS: OnceLock<tempfile::TempDir> = OnceLock::new();
    let services = Arc::new(services);
    let forms = FORMS.get_or_init(|| tempfile::tempdir().unwrap());
    let host = PluginHost::new(HostOptions::new(forms.path(), services.clone())).unwrap();
    Bench { host, services, _dir: tempfile::tempdir().unwrap() }
}

impl Bench {
    /// A shipped plugin with its pre-written grant.
    pub(crate) async fn shipped(&self, name: &str) -> Arc<Plugin> {
        let path = shipped(name);
        let grant = Grant::beside(&path).unwrap().unwrap();
        self.host.load(name, Source::File(&path), &grant).await.unwrap()
    }

    /// A misbehaving guest with a site's grant (TOML, without the digest).
    pub(crate) async fn misbehaving(&self, name: &str, rights: &str) -> Arc<Plugin> {
        let component = guest(name);
        let digest: String = Sha256::digest(&component).iter().map(|b| format!("{b:02x}")).collect();
        let rights = Grant::from_table(&rights.parse().unwrap()).unwrap();
        let grant = Grant { digest: Some(format!("sha256:{digest}")), ..rights };
        self.host.load("bad", Source::Bytes(&component), &grant).await.unwrap()
    }

    /// A shipped plugin with a site's grant (TOML, without the digest).
    pub(crate) async fn granted(&self, name: &str, rights: &str) -> Arc<Plugin> {
        let path = shipped(name);
        let digest = Grant::beside(&path).unwrap().unwrap().digest;
        let rights = Grant::from_table(&rights.parse().unwrap()).unwrap();
        self.host.load(name, Source::File(&path), &Grant { digest, ..rights }).await.unwrap()
    }
}

/// Leases out of 10.9.N.0/24 and fd09:N::/64.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    pub(crate) next: Mutex<u8>,
    pub(crate) taken_ports: Vec<u16>,
    pub(crate) taken: Vec<IpAddr>,
}

#[async_trait]
impl Leases for Pool {
    async fn subnet(&self, wanted: Option<IpNet>, v6: bool) -> Result<IpNet, PolicyError> {
        let mut next = self.next.lock().unwrap();
        *next += 1;
        let free = if v6 { format!("fd09:{next}::/64") } else { format!("10.9.{next}.0/24") };
        Ok(wanted.unwrap_or_else(|| free.parse().unwrap()))
    }
    async fn address(&self, subnet: SubnetId, wanted: Option<IpAddr>) -> Result<AddressLease, PolicyError> {
        if let Some(taken) = wanted.filter(|address| self.taken.contains(address)) {
            return Err(PolicyError::Conflict(format!("address {taken} is in use")));
        }
        let text = format!("10.9.{}", subnet.0 + 1);
        let free: IpAddr = format!("{text}.7").parse().unwrap();
        let address = IpNet::new(wanted.unwrap_or(free), 24).unwrap();
        Ok(AddressLease { subnet, address, gateway: format!("{text}.1").parse().unwrap() })
    }
    async fn port(&self, request: &PortRequest) -> Result<u16, PolicyError> {
        let port = request.outside.unwrap_or(40_000);
        if self.taken_ports.contains(&port) {
            return Err(PolicyError::Conflict(format!("port {port} is taken")));
        }
        Ok(port)
    }
}

/// Leases and manifests that never answer.
#[derive(Debug)]
pub(crate) struct Stuck;

#[async_trait]
impl Leases for Stuck {
    async fn subnet(&self, _: Option<IpNet>, _: bool) -> Result<IpNet, PolicyError> {
        std::future::pending().await
    }
    async fn address(&self, _: SubnetId, _: Option<IpAddr>) -> Result<AddressLease, PolicyError> {
        std::future::pending().await
    }
    async fn port(&self, _: &PortRequest) -> Result<u16, PolicyError> {
        std::future::pending().await
    }
}

#[async_trait]
impl ManifestReader for Stuck {
    async fn referrers(&self, _: &str) -> Result<Vec<Digest>, PolicyError> {
        std::future::pending().await
    }
    async fn blob(&self, _: &Digest) -> Result<Vec<u8>, PolicyError> {
        std::future::pending().await
    }
}
