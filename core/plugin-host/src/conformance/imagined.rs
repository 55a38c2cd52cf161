//! A host's services made of memory: what an author's plugin finds while it is tried out.

use crate::question::{NetworkCall, Question};
use async_trait::async_trait;
use davit_model::{
    auth::{Credential, ManifestReader},
    digest::Digest,
    error::PolicyError,
    network::{AddressLease, Leases, NetworkPlan, PortRequest, SubnetId},
    secret::Secret,
    services::{HostServices, HttpRequest, HttpResponse, LogLevel},
    state::{StateWrite, StateWrites},
};
use ipnet::IpNet;
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// How the world answers a plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum World {
    /// Every secret is there, state is kept; nobody answers on the web.
    #[default]
    Quiet,
    /// As before, and everybody on the web answers as a token server does.
    Answering,
    /// State has always changed meanwhile, no secret can be read, nobody answers on the web.
    Failing,
    /// As before, and the plugin's section cannot be read.
    Dead,
}

/// What a plugin asked of the host.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    pub(super) config: bool,
    pub(super) web: bool,
}

/// Services that keep everything in memory. Every secret is there; nobody answers on the web.
#[derive(Debug, Default)]
pub struct Imagined {
    world: Mutex<World>,
    asked: Mutex<Asked>,
    config: serde_json::Value,
    state: Mutex<BTreeMap<String, Vec<u8>>>,
    lines: Mutex<Vec<(LogLevel, String)>>,
}

impl Imagined {
    /// With the plugin's section of a site's file.
    pub fn with_config(config: serde_json::Value) -> Self {
        Self { config, ..Self::default() }
    }

    /// What the plugin logged since the last look.
    pub fn lines(&self) -> Vec<(LogLevel, String)> {
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn turn(&self, to: World) {
        *self.world.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// Whether the plugin has a section that says something.
    pub(super) fn is_configured(&self) -> bool {
        self.config.as_object().is_some_and(|section| !section.is_empty())
    }

    /// What was asked for since [`Imagined::forget_what_was_asked`].
    pub(super) fn asked(&self) -> Asked {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget_what_was_asked(&self) {
        self.note(|asked| *asked = Asked::default());
    }

    fn note(&self, what: impl FnOnce(&mut Asked)) {
        what(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn world(&self) -> World {
        *self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the host does for a plugin, where it can.
    fn able(&self) -> Result<(), PolicyError> {
        match self.world() {
            World::Quiet | World::Answering => Ok(()),
            World::Failing | World::Dead => Err(nobody("nothing can be read")),
        }
    }
}

fn nobody(what: &str) -> PolicyError {
    PolicyError::Unavailable { retry_ms: 0, message: format!("{what} while a plugin is tried out") }
}

/// As a token server has it (RFC 6749, section 5.1; RFC 8693; the distribution project's token specification).
const TOKEN: &str = r#"{
    "access_token": "imagined token", "token": "imagined token", "token_type": "Bearer", "expires_in": 300,
    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"
}"#;

#[async_trait]
impl HostServices for Imagined {
    fn log(&self, _: &str, level: LogLevel, message: &str) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push((level, message.to_owned()));
    }

    async fn config(&self, _: &str) -> Result<serde_json::Value, PolicyError> {
        self.note(|asked| asked.config = true);
        if self.world() == World::Dead {
            return Err(nobody("no section can be read"));
        }
        Ok(self.config.clone())
    }

    async fn state_get(&self, _: &str, key: &str) -> Result<Option<Vec<u8>>, PolicyError> {
        self.able()?;
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    async fn state_commit(&self, writes: &StateWrites) -> Result<(), PolicyError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let able = self.able().is_ok();
        let stale = |write: &&StateWrite| !able || state.get(&write.key) != write.expected.as_ref();
        if let Some(write) = writes.writes.iter().find(stale) {
            return Err(PolicyError::Conflict(format!("its state {:?} changed meanwhile; try again", write.key)));
        }
        for StateWrite { key, new, .. } in &writes.writes {
            match new {
                Some(value) => state.insert(key.clone(), value.clone()),
                None => state.remove(key),
            };
        }
        Ok(())
    }

    async fn state_keys(&self, _: &str, prefix: &str) -> Result<Vec<String>, PolicyError> {
        self.able()?;
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(state.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    async fn secret(&self, _: &str, name: &str) -> Result<Secret, PolicyError> {
        self.able()?;
        Ok(Secret::new(format!("imagined {name}")))
    }

    async fn stored_credential(&self, _: &str, _: &str) -> Result<Option<Credential>, PolicyError> {
        self.able()?;
        Ok(None)
    }

    async fn http(&self, _: &str, request: HttpRequest) -> Result<HttpResponse, PolicyError> {
        self.note(|asked| asked.web = true);
        if self.world() == World::Answering {
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            return Ok(HttpResponse { status: 200, headers, body: TOKEN.into() });
        }
        Err(nobody(&format!("nobody answers {} {}", request.method, request.url)))
    }

    fn now_ms(&self) -> u64 {
        // The same at every run, so that plans can be compared.
        1_700_000_000_000
    }
}

/// Leases out of pools that nobody else uses; the same questions get the same answers.
#[derive(Debug, Default)]
pub struct ImaginedLeases {
    given: Mutex<Given>,
    refusing: bool,
}

#[derive(Debug, Default)]
struct Given {
    subnets: Vec<(SubnetId, IpNet)>,
    addresses: u32,
    ports: u16,
}

impl ImaginedLeases {
    /// As they are before a call: where it is about an endpoint, its network's subnets are leased already.
    pub fn before(question: &Question) -> Self {
        match question {
            Question::Network(NetworkCall::PlanEndpoint { network, .. }) => Self::on(network),
            _ => Self::default(),
        }
    }

    fn on(network: &NetworkPlan) -> Self {
        let subnets = network.subnets.iter().map(|subnet| (subnet.id, subnet.net)).collect();
        Self { given: Mutex::new(Given { subnets, ..Given::default() }), refusing: false }
    }

    /// That have nothing left to give.
    pub fn exhausted() -> Self {
        Self { given: Mutex::default(), refusing: true }
    }

    fn given(&self) -> Result<std::sync::MutexGuard<'_, Given>, PolicyError> {
        if self.refusing {
            return Err(PolicyError::Conflict("nothing is free".to_owned()));
        }
        Ok(self.given.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn internal(error: impl std::fmt::Display) -> PolicyError {
    PolicyError::Internal(error.to_string())
}

#[async_trait]
impl Leases for ImaginedLeases {
    async fn subnet(&self, wanted: Option<IpNet>, v6: bool) -> Result<IpNet, PolicyError> {
        let mut given = self.given()?;
        let number = u32::try_from(given.subnets.len()).map_err(internal)?;
        let free = if v6 { format!("fd99:{number:x}::/64") } else { format!("10.99.{number}.0/24") };
        let net = wanted.map_or_else(|| free.parse().map_err(internal), Ok)?;
        given.subnets.push((SubnetId(number), net));
        Ok(net)
    }

    async fn address(&self, subnet: SubnetId, wanted: Option<IpAddr>) -> Result<AddressLease, PolicyError> {
        let mut given = self.given()?;
        let Some((_, net)) = given.subnets.iter().find(|(id, _)| *id == subnet).copied() else {
            return Err(PolicyError::NotFound(format!("subnet {}", subnet.0)));
        };
        given.addresses += 1;
        let mut hosts = net.hosts();
        let gateway = hosts.next().ok_or_else(|| PolicyError::Conflict(format!("{net} is full")))?;
        let free = hosts.nth(usize::try_from(given.addresses).unwrap_or(1));
        let address = wanted.or(free).ok_or_else(|| PolicyError::Conflict(format!("{net} is full")))?;
        if !net.contains(&address) {
            return Err(PolicyError::Invalid(format!("{address} is not in {net}")));
        }
        Ok(AddressLease { subnet, address: IpNet::new(address, net.prefix_len()).map_err(internal)?, gateway })
    }

    async fn port(&self, request: &PortRequest) -> Result<u16, PolicyError> {
        let mut given = self.given()?;
        given.ports = given.ports.saturating_add(1);
        Ok(request.outside.unwrap_or(40_000_u16.saturating_add(given.ports)))
    }
}

/// A manifest that nothing refers to.
#[derive(Debug)]
pub struct NoManifests;

#[async_trait]
impl ManifestReader for NoManifests {
    async fn referrers(&self, _: &str) -> Result<Vec<Digest>, PolicyError> {
        Ok(Vec::new())
    }

    async fn blob(&self, digest: &Digest) -> Result<Vec<u8>, PolicyError> {
        Err(PolicyError::NotFound(format!("blob {digest}")))
    }
}
