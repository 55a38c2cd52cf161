//! A native policy: answers from a function, and remembers what it was asked.

use async_trait::async_trait;
use davit_model::{
    auth::{Answer, Challenge, Endpoint, ManifestReader, ManifestView, RegistryAuth, Scheme},
    error::{PolicyError, PortError},
    secret::Secret,
};
use std::{
    fmt,
    sync::{Arc, Mutex},
};

type Respond = dyn Fn(&Challenge) -> Result<Answer, PolicyError> + Send + Sync;

/// Answers from a function.
pub(crate) struct FakePolicy {
    respond: Box<Respond>,
    pub(crate) mirrors: Vec<Endpoint>,
    /// The artifact type whose presence makes a manifest trusted; none trusts all.
    pub(crate) wants_referrer: Option<String>,
    pub(crate) asked: Mutex<Vec<Challenge>>,
}

impl fmt::Debug for FakePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakePolicy")
    }
}

impl FakePolicy {
    /// A policy that answers by `respond`.
    pub(crate) fn new(respond: impl Fn(&Challenge) -> Result<Answer, PolicyError> + Send + Sync + 'static) -> Self {
        Self { respond: Box::new(respond), mirrors: Vec::new(), wants_referrer: None, asked: Mutex::default() }
    }

    /// How often a challenge of the registry was put to it; the question before the first request does not count.
    pub(crate) fn challenges(&self) -> usize {
        self.asked.lock().unwrap().iter().filter(|c| c.scheme != Scheme::None).count()
    }
}

#[async_trait]
impl RegistryAuth for FakePolicy {
    fn name(&self) -> &str {
        "fake"
    }

    async fn authenticate(&self, challenge: &Challenge) -> Result<Answer, PortError> {
        self.asked.lock().unwrap().push(challenge.clone());
        (self.respond)(challenge).map_err(|e| PortError::new("fake@0.1.0", "authenticate", e))
    }

    async fn resolve(&self, _: &str, _: &str) -> Result<Vec<Endpoint>, PortError> {
        Ok(self.mirrors.clone())
    }

    async fn verify(&self, manifest: &ManifestView, reader: &dyn ManifestReader) -> Result<(), PortError> {
        let fail = |e| PortError::new("fake@0.1.0", "verify", e);
        let Some(wanted) = &self.wants_referrer else { return Ok(()) };
        let found = reader.referrers(wanted).await.map_err(fail)?;
        for digest in &found {
            let bytes = reader.blob(digest).await.map_err(fail)?;
            assert!(!bytes.is_empty());
        }
        match found.is_empty() {
            false => Ok(()),
            true => Err(fail(PolicyError::Denied(format!("{} is not signed", manifest.digest)))),
        }
    }
}

/// Policies that answer always the same.
pub(crate) mod answers {
    use super::*;

    /// Without credentials.
    pub(crate) fn anonymous() -> Arc<FakePolicy> {
        Arc::new(FakePolicy::new(|_| Ok(Answer::Anonymous)))
    }

    /// By Basic, once the registry asks.
    pub(crate) fn basic(user: &'static str, password: &'static str) -> Arc<FakePolicy> {
        Arc::new(FakePolicy::new(move |c| {
            Ok(match c.scheme {
                Scheme::Basic => Answer::Basic { user: user.into(), password: Secret::new(password) },
                _ => Answer::Anonymous,
            })
        }))
    }
}
