//! Users, tokens, and what happened.

use crate::scope::{Grant, Permission};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    net::SocketAddr,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

/// How to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The open registry behind the front: `http://host:port`.
    pub upstream: String,
    /// Where the front listens.
    pub listen: SocketAddr,
    /// Where tokens are issued.
    pub token_listen: SocketAddr,
    /// Who may do what.
    pub users: Vec<User>,
    /// Tokens of other identities that may be exchanged, each with the user that it stands for.
    pub subject_tokens: BTreeMap<String, String>,
    /// What nobody in particular may do.
    pub anonymous: Vec<Grant>,
    /// The service's name.
    pub service: String,
    /// How long a token is valid.
    pub valid: Duration,
    /// After so many challenges the front names this realm.
    pub switch_realm: Option<(usize, String)>,
    /// Whether blobs are redirected to a third origin.
    pub redirect_blobs: bool,
}

impl Config {
    /// The defaults before the registry at `upstream`, without users.
    pub fn before(upstream: impl Into<String>) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            upstream: upstream.into(),
            listen: any,
            token_listen: any,
            users: Vec::new(),
            subject_tokens: BTreeMap::new(),
            anonymous: Vec::new(),
            service: "davit-test".to_owned(),
            valid: Duration::from_secs(60),
            switch_realm: None,
            redirect_blobs: false,
        }
    }
}

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
    /// Refresh (identity) tokens that stand for the password.
    pub refresh_tokens: Vec<String>,
    /// What the user may do.
    pub grants: Vec<Grant>,
}

/// Something that happened; no secret stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// The front asked for a token.
    Challenged {
        /// The scope that it named.
        scope: String,
        /// The error that it named: `invalid_token`, `insufficient_scope`.
        error: Option<String>,
    },
    /// A token was issued.
    Issued {
        /// `anonymous`, `basic`, `password`, `refresh_token`, or the name of RFC 8693 for an exchange.
        grant: String,
        /// The user; empty for nobody.
        account: String,
        /// The scope that was asked for.
        scope: String,
        /// How many permissions the token has.
        permissions: usize,
    },
    /// A token was refused.
    Refused {
        /// As above.
        grant: String,
    },
    /// The third origin was asked for a blob.
    Fetched {
        /// Whether an `Authorization` header came along, which must not be.
        authorization: bool,
    },
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) storage: SocketAddr,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    realm: String,
    challenges: usize,
    tokens: BTreeMap<String, (BTreeSet<Permission>, Instant)>,
    /// Refresh tokens that were issued: token and user.
    refresh: BTreeMap<String, String>,
    events: Vec<Event>,
}

impl State {
    pub(crate) fn new(config: Config, realm: String, storage: SocketAddr) -> Self {
        let mut refresh = BTreeMap::new();
        for user in &config.users {
            refresh.extend(user.refresh_tokens.iter().map(|t| (t.clone(), user.name.clone())));
        }
        let (tokens, events) = (BTreeMap::new(), Vec::new());
        Self { config, storage, inner: Mutex::new(Inner { realm, challenges: 0, tokens, refresh, events }) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(crate) fn note(&self, event: Event) {
        self.inner().events.push(event);
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.inner().events.clone()
    }

    pub(crate) fn realm(&self) -> String {
        self.inner().realm.clone()
    }

    pub(crate) fn set_realm(&self, realm: &str) {
        self.inner().realm = realm.to_owned();
    }

    /// The realm for one more challenge.
    pub(crate) fn realm_for_challenge(&self) -> String {
        let mut inner = self.inner();
        inner.challenges += 1;
        if let Some((after, realm)) = &self.config.switch_realm
            && inner.challenges > *after
        {
            inner.realm.clone_from(realm);
        }
        inner.realm.clone()
    }

    pub(crate) fn expire_all(&self) {
        self.inner().tokens.clear();
    }

    /// The user of this name and password.
    pub(crate) fn by_password(&self, name: &str, password: &str) -> Option<&User> {
        self.config.users.iter().find(|u| u.name == name && u.password == password)
    }

    /// The user that a refresh token stands for.
    pub(crate) fn by_refresh(&self, token: &str) -> Option<&User> {
        let name = self.inner().refresh.get(token).cloned()?;
        self.config.users.iter().find(|u| u.name == name)
    }

    /// The user that an exchanged token stands for.
    pub(crate) fn by_subject(&self, token: &str) -> Option<&User> {
        let name = self.config.subject_tokens.get(token)?;
        self.config.users.iter().find(|u| u.name == *name)
    }

    /// A new token with these permissions.
    pub(crate) fn issue(&self, permissions: BTreeSet<Permission>) -> std::io::Result<String> {
        let token = random()?;
        self.inner().tokens.insert(token.clone(), (permissions, Instant::now() + self.config.valid));
        Ok(token)
    }

    /// A new refresh token of `user`.
    pub(crate) fn issue_refresh(&self, user: &str) -> std::io::Result<String> {
        let token = random()?;
        self.inner().refresh.insert(token.clone(), user.to_owned());
        Ok(token)
    }

    /// What a token allows; none where it is unknown or has ended.
    pub(crate) fn permissions(&self, token: &str) -> Option<BTreeSet<Permission>> {
        let inner = self.inner();
        inner.tokens.get(token).filter(|(_, until)| Instant::now() < *until).map(|(p, _)| p.clone())
    }
}

fn random() -> std::io::Result<String> {
    let mut bytes = [0; 24];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
