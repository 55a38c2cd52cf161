//! On whose behalf something is asked or said: a plugin, and one call of it with the secrets that it may use.

use super::{
    guard::Guard,
    veil::Veil,
    wire::{Asks, Served, served},
};
use crate::{
    question::{Question, Reply},
    secret::Bound,
};
use davit_model::{error::PolicyError, services::HostServices, state::Planned};
use std::sync::Arc;

/// On whose behalf a call asks.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) speaker: Speaker,
    pub(super) question: Option<Arc<Question>>,
    /// The secrets that it may use, by their marks.
    pub(super) veil: Arc<Veil>,
}

/// A plugin, as what is asked and logged is about it.
#[derive(Clone)]
pub(super) struct Speaker {
    pub(super) site_name: Arc<str>,
    pub(super) services: Arc<dyn HostServices>,
    pub(super) guard: Arc<Guard>,
}

impl Asker {
    /// Holds an answer against the grant, and puts secrets into it where they belong.
    pub(super) fn answers(&self, planned: &mut Planned<Reply>) -> Result<(), PolicyError> {
        let guard = &self.speaker.guard;
        guard.answers(planned)?;
        guard.reveal(&mut planned.plan, self.question.as_deref(), &self.veil)
    }

    /// Does what a call asks of the daemon.
    pub(super) async fn done(&self, asks: Asks) -> Served {
        let Self { speaker: Speaker { services, site_name, guard }, question, veil } = self;
        let plugin = &**site_name;
        match asks {
            Asks::Config => services.config(plugin).await,
            Asks::StateGet { key } => served(services.state_get(plugin, &key).await),
            Asks::StateCommit { writes } => served(services.state_commit(&writes).await),
            Asks::StateKeys { prefix } => served(services.state_keys(plugin, &prefix).await),
            Asks::Secret { name } => {
                let secret = services.secret(plugin, &name).await;
                served(secret.and_then(|secret| veil.cover(secret, Bound::Site(name))))
            }
            Asks::Fingerprint { secret } => served(Ok(veil.fingerprint(&secret))),
            Asks::Hmac { secret, data } => served(veil.hmac(&secret, &data)),
            Asks::Stored { server } => {
                let found = services.stored_credential(plugin, &server).await;
                served(found.and_then(|found| found.map(|credential| veil.credential(credential)).transpose()))
            }
            Asks::Http { request } => served(guard.sent(*request, question.as_deref(), veil, services.as_ref()).await),
            Asks::Subnet { .. }
            | Asks::Address { .. }
            | Asks::Port { .. }
            | Asks::Referrers { .. }
            | Asks::Blob { .. } => Err(PolicyError::Internal("a question for the caller".to_owned())),
        }
    }
}
