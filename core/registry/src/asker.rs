//! Puts a registry's challenges to the session's policy: which of them, how often, and for which token server.

use crate::{
    ErrorKind, Registry, Session,
    access::Access,
    body, challenge,
    endpoint::Target,
    exchange::Answered,
    failure,
    origin::{Origin, is_loopback},
};
use davit_model::auth::{Answer, Challenge, Credential, Scheme};
use reqwest::{Url, header::WWW_AUTHENTICATE};
use std::collections::BTreeMap;

/// How many answers are tried for one request.
const ATTEMPTS: u32 = 3;
/// How much of a 401's body is read for its message.
const MESSAGE_LIMIT: u64 = 64 << 10;

/// Asks the session's policy about one request.
pub(crate) struct Asker<'a> {
    registry: &'a Registry,
    session: &'a Session,
    target: &'a Target,
    access: &'a Access,
    offered: Option<&'a Credential>,
    attempt: u32,
    realm: Option<String>,
}

impl<'a> Asker<'a> {
    /// For a request that needs `access` at `target`.
    pub(crate) fn new(
        registry: &'a Registry,
        session: &'a Session,
        target: &'a Target,
        access: &'a Access,
        offered: Option<&'a Credential>,
    ) -> Self {
        Self { registry, session, target, access, offered, attempt: 1, realm: None }
    }

    /// The token server that the last challenge named.
    pub(crate) fn realm(&self) -> Option<&str> {
        self.realm.as_deref()
    }

    /// Before the first request of a session to this origin and scope, policy may refuse the registry as such.
    pub(crate) async fn before_the_first(&mut self, origin: &Origin) -> Result<Answer, ErrorKind> {
        let place = (origin.as_str().to_owned(), self.access.scope());
        let new = self.session.said.lock().unwrap_or_else(|e| e.into_inner()).asked.insert(place);
        if !new {
            return Ok(Answer::Anonymous);
        }
        let answer = self.ask(Scheme::None, BTreeMap::new()).await?;
        if answer != Answer::Anonymous {
            self.attempt += 1;
        }
        Ok(answer)
    }

    /// Before the registry is connected to only to learn how it speaks: a refusal holds for that too.
    pub(crate) async fn before_a_probe(&self) -> Result<(), ErrorKind> {
        self.ask(Scheme::None, BTreeMap::new()).await.map(drop)
    }

    /// The next answer to a 401, or the error that there is none.
    pub(crate) async fn answer(&mut self, refused: Answered, last: &Answer) -> Result<Answer, ErrorKind> {
        let fields = refused.response.headers().get_all(WWW_AUTHENTICATE);
        let found: Vec<_> = fields.iter().filter_map(|v| v.to_str().ok()).flat_map(challenge::parse).collect();
        let stall = self.registry.inner.options.timeouts.stall;
        let message = failure::status(401, &body::read_some(refused, MESSAGE_LIMIT, stall).await, "");
        if self.attempt > ATTEMPTS {
            return Err(message);
        }
        let bearer = found.iter().find(|c| c.scheme == "bearer").map(|c| (Scheme::Bearer, c));
        let basic = || found.iter().find(|c| c.scheme == "basic").map(|c| (Scheme::Basic, c));
        let Some((scheme, chosen)) = bearer.or_else(basic) else {
            let schemes: Vec<_> = found.iter().map(|c| c.scheme.as_str()).collect();
            return Err(ErrorKind::Protocol(format!(
                "it wants authentication by neither Basic nor Bearer but {schemes:?}"
            )));
        };
        if scheme == Scheme::Bearer {
            self.check_realm(chosen.params.get("realm").map(String::as_str))?;
        }
        let answer = self.ask(scheme, chosen.params.clone()).await?;
        // The same words again would only be refused again.
        if answer == *last {
            return Err(message);
        }
        self.attempt += 1;
        Ok(answer)
    }

    /// Refuses a token server that is not private, or not the one that this registry named before.
    fn check_realm(&mut self, realm: Option<&str>) -> Result<(), ErrorKind> {
        let realm = realm.ok_or_else(|| ErrorKind::Protocol("a Bearer challenge without a realm".to_owned()))?;
        let refuse = |why: &str| Err(ErrorKind::Refused(format!("the token server {realm:?} {why}")));
        let Ok(url) = Url::parse(realm) else { return refuse("is not an address") };
        let plain_is_safe = is_loopback(&url) && is_loopback(&self.target.root());
        if url.scheme() != "https" && !(url.scheme() == "http" && plain_is_safe) {
            return refuse("does not use https");
        }
        let registry = &self.target.registry;
        let before = self.realm.clone().or_else(|| self.registry.inner.pins.pinned(registry));
        match before {
            Some(before) if before != realm => {
                refuse(&format!("is not the one that {registry} named before: {before:?}"))
            }
            _ => {
                self.realm = Some(realm.to_owned());
                Ok(())
            }
        }
    }

    async fn ask(&self, scheme: Scheme, params: BTreeMap<String, String>) -> Result<Answer, ErrorKind> {
        let challenge = Challenge {
            registry: self.target.registry.clone(),
            scheme,
            params,
            repository: self.access.repository.clone(),
            actions: self.access.actions.iter().map(|a| (*a).to_owned()).collect(),
            offered: self.offered.cloned(),
            caller: self.session.caller.clone(),
            attempt: self.attempt,
        };
        self.session.auth.authenticate(&challenge).await.map_err(ErrorKind::Policy)
    }
}
