//! In the host process: what stands for the daemon's services. Each question goes over the socket with the number of the
//! call that asks, so that the daemon can hold it against what that call is about.

use super::{
    blocking::Said,
    wire::{Asks, FromHost, Served, read},
};
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
use ipnet::IpNet;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::oneshot;

/// The way to the daemon.
pub(super) struct Uplink {
    said: Said,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Served>>>,
    asks: AtomicU64,
}

impl fmt::Debug for Uplink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uplink").finish_non_exhaustive()
    }
}

fn gone() -> PolicyError {
    PolicyError::Unavailable { retry_ms: 0, message: "the daemon is gone".to_owned() }
}

impl Uplink {
    pub(super) fn new(said: Said) -> Self {
        Self { said, waiting: Mutex::default(), asks: AtomicU64::new(0) }
    }

    /// Says something.
    pub(super) fn say(&self, message: &FromHost) {
        self.said.say(message);
    }

    /// An answer has come.
    pub(super) fn served(&self, ask: u64, answer: Served) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&ask);
        if let Some(waiting) = waiting {
            // The call may have ended meanwhile.
            let _ = waiting.send(answer);
        }
    }

    async fn ask<T: DeserializeOwned>(&self, id: u64, asks: Asks) -> Result<T, PolicyError> {
        let (to, answer) = oneshot::channel();
        let ask = self.asks.fetch_add(1, Relaxed);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(ask, to);
        let forget = Forget { uplink: self, ask };
        self.say(&FromHost::Asks { ask, id, asks });
        let answer = answer.await.map_err(|_| gone())?;
        drop(forget);
        read(answer)
    }
}

/// A question that nobody waits for any more.
struct Forget<'a> {
    uplink: &'a Uplink,
    ask: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.uplink.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.ask);
    }
}

/// The services of one call.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) uplink: Arc<Uplink>,
    pub(super) id: u64,
    pub(super) plugin: u64,
    /// Its section of the site's file, where it came with the call.
    pub(super) section: Option<Box<RawValue>>,
}

#[async_trait]
impl HostServices for Proxy {
    fn log(&self, _: &str, level: LogLevel, message: &str) {
        self.uplink.say(&FromHost::Log { plugin: self.plugin, level, text: message.to_owned() });
    }

    async fn config(&self, _: &str) -> Result<serde_json::Value, PolicyError> {
        match &self.section {
            Some(section) => serde_json::from_str(section.get())
                .map_err(|e| PolicyError::Internal(format!("its section cannot be read: {e}"))),
            None => self.uplink.ask(self.id, Asks::Config).await,
        }
    }

    async fn state_get(&self, _: &str, key: &str) -> Result<Option<Vec<u8>>, PolicyError> {
        self.uplink.ask(self.id, Asks::StateGet { key: key.to_owned() }).await
    }

    async fn state_commit(&self, writes: &StateWrites) -> Result<(), PolicyError> {
        self.uplink.ask(self.id, Asks::StateCommit { writes: writes.clone() }).await
    }

    async fn state_keys(&self, _: &str, prefix: &str) -> Result<Vec<String>, PolicyError> {
        self.uplink.ask(self.id, Asks::StateKeys { prefix: prefix.to_owned() }).await
    }

    async fn secret(&self, _: &str, name: &str) -> Result<Secret, PolicyError> {
        self.uplink.ask(self.id, Asks::Secret { name: name.to_owned() }).await
    }

    async fn fingerprint(&self, secret: &Secret) -> Result<Option<String>, PolicyError> {
        self.uplink.ask(self.id, Asks::Fingerprint { secret: secret.clone() }).await.map(Some)
    }

    async fn hmac_sha256(&self, secret: &Secret, data: &[u8]) -> Result<Option<Vec<u8>>, PolicyError> {
        self.uplink.ask(self.id, Asks::Hmac { secret: secret.clone(), data: data.to_vec() }).await.map(Some)
    }

    async fn stored_credential(&self, _: &str, server: &str) -> Result<Option<Credential>, PolicyError> {
        self.uplink.ask(self.id, Asks::Stored { server: server.to_owned() }).await
    }

    async fn http(&self, _: &str, request: HttpRequest) -> Result<HttpResponse, PolicyError> {
        self.uplink.ask(self.id, Asks::Http { request: Box::new(request) }).await
    }

    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

#[async_trait]
impl Leases for Proxy {
    async fn subnet(&self, wanted: Option<IpNet>, v6: bool) -> Result<IpNet, PolicyError> {
        self.uplink.ask(self.id, Asks::Subnet { wanted, v6 }).await
    }

    async fn address(&self, subnet: SubnetId, wanted: Option<IpAddr>) -> Result<AddressLease, PolicyError> {
        self.uplink.ask(self.id, Asks::Address { subnet, wanted }).await
    }

    async fn port(&self, request: &PortRequest) -> Result<u16, PolicyError> {
        self.uplink.ask(self.id, Asks::Port { request: request.clone() }).await
    }
}

#[async_trait]
impl ManifestReader for Proxy {
    async fn referrers(&self, artifact_type: &str) -> Result<Vec<Digest>, PolicyError> {
        self.uplink.ask(self.id, Asks::Referrers { artifact_type: artifact_type.to_owned() }).await
    }

    async fn blob(&self, digest: &Digest) -> Result<Vec<u8>, PolicyError> {
        self.uplink.ask(self.id, Asks::Blob { digest: digest.clone() }).await
    }
}
