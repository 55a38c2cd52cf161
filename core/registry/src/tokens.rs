//! Answers that worked, kept for their time under (origin, scope, who asked with what).

use crate::{access::Access, origin::Origin, session::Session};
use davit_model::auth::{Answer, Credential};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

/// How long a `Basic` answer is kept: it has no time of its own.
const BASIC_VALID: Duration = Duration::from_secs(60);
/// A token that ends within this time is asked for anew.
const MARGIN: Duration = Duration::from_secs(2);
/// How many answers are kept.
const LIMIT: usize = 1024;

/// What an answer is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    origin: Origin,
    scope: String,
    identity: [u8; 32],
}

impl Key {
    /// The key of `access` at `origin` for the caller of `session` with `offered`.
    pub(crate) fn new(origin: &Origin, access: &Access, session: &Session, offered: Option<&Credential>) -> Self {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update(text.len().to_le_bytes());
            hash.update(text.as_bytes());
        };
        part(session.auth.name());
        part(&session.caller.0);
        if let Some(c) = offered {
            part(&c.server);
            part(c.user.as_deref().unwrap_or("\0"));
            part(&format!("{:?}", c.kind));
            part(c.secret.reveal());
        }
        Self { origin: origin.clone(), scope: access.scope(), identity: hash.finalize().into() }
    }
}

/// The answers.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<HashMap<Key, (Answer, Instant)>>);

impl Tokens {
    /// An answer that is still valid.
    pub(crate) fn get(&self, key: &Key) -> Option<Answer> {
        let kept = self.0.lock().unwrap_or_else(|e| e.into_inner());
        kept.get(key).filter(|(_, until)| Instant::now() < *until).map(|(answer, _)| answer.clone())
    }

    /// Keeps an answer that the registry accepted; its time runs from `made`.
    pub(crate) fn put(&self, key: Key, answer: Answer, made: Instant) {
        let valid = match &answer {
            Answer::Anonymous => return,
            Answer::Basic { .. } => BASIC_VALID,
            Answer::Bearer { valid, .. } => valid.saturating_sub(MARGIN),
        };
        let Some(until) = made.checked_add(valid) else { return };
        let mut kept = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let now = Instant::now();
        kept.retain(|_, (_, until)| now < *until);
        if now < until && kept.len() < LIMIT {
            kept.insert(key, (answer, until));
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).clear();
    }

    /// Drops an answer that was refused.
    pub(crate) fn drop_refused(&self, key: &Key) {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).remove(key);
    }
}
