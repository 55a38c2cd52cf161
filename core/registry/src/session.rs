//! Who asks: what one operation carries with it to every request.

use davit_model::{
    auth::{Credential, Endpoint, RegistryAuth},
    id::Caller,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

/// One operation's caller, credential and policy. Clones share what the policy said already.
#[derive(Clone, Debug)]
pub struct Session {
    /// The policy that the site chose for the registry.
    pub auth: Arc<dyn RegistryAuth>,
    /// Who asks.
    pub caller: Caller,
    /// What the caller sent along; offered to the policy only for the server that it names.
    pub offered: Option<Credential>,
    pub(crate) said: Arc<Mutex<Said>>,
}

/// What the policy said during this operation.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Mirrors by `registry/repository`.
    pub(crate) mirrors: BTreeMap<String, Vec<Endpoint>>,
    /// Origins and scopes that were asked about before their first request.
    pub(crate) asked: BTreeSet<(String, String)>,
}

impl Session {
    /// A session of `caller`.
    pub fn new(auth: Arc<dyn RegistryAuth>, caller: Caller, offered: Option<Credential>) -> Self {
        Self { auth, caller, offered, said: Arc::default() }
    }

    /// The caller's credential where it is for `registry`.
    pub(crate) fn offered_for(&self, registry: &str) -> Option<&Credential> {
        self.offered.as_ref().filter(|c| server_name(&c.server) == server_name(registry))
    }
}

/// `host[:port]` of what docker writes as a server: with or without scheme and path, the hub under its several names.
pub(crate) fn server_name(server: &str) -> &str {
    let bare = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or(server);
    let host = bare.split('/').next().unwrap_or(bare);
    match host {
        "index.docker.io" | "registry-1.docker.io" => davit_model::reference::DEFAULT_REGISTRY,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_compared_by_host_and_port() {
        assert_eq!(server_name("https://index.docker.io/v1/"), "docker.io");
        assert_eq!(server_name("127.0.0.1:5000"), "127.0.0.1:5000");
        assert_ne!(server_name("a.example:5000"), server_name("a.example"));
    }
}
