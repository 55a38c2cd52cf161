//! `davit:registry-auth/host`: challenges to read, answers to record.

use super::{
    bindings::davit::registry_auth::host,
    refusal::{Answer, Refusal},
    secrets::{HeldCredential, HeldSecret},
};
use crate::{
    context::{Context, Sink},
    leases::ManifestAsk,
};
use davit_model::{
    auth::{self, Challenge, CredentialKind, Endpoint, ManifestView, Scheme},
    error::PolicyError,
};
use std::{sync::Arc, time::Duration};
use wasmtime::component::Resource;

const MAX_ENDPOINTS: usize = 16;
const MAX_SECONDS: u32 = 86_400;

/// What is behind `challenge`.
#[derive(Debug)]
pub struct HeldChallenge(pub(crate) Arc<Challenge>);

/// What is behind `answer`.
#[derive(Debug)]
pub struct HeldAnswer(pub(crate) Sink<Option<auth::Answer>>);

/// What is behind `endpoints`.
#[derive(Debug)]
pub struct HeldEndpoints(pub(crate) Sink<Vec<Endpoint>>);

/// What is behind `manifest-view`.
#[derive(Debug)]
pub struct HeldManifest(pub(crate) ManifestView);

impl host::Host for Context {}

impl host::HostChallenge for Context {
    fn registry(&mut self, challenge: Resource<HeldChallenge>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&challenge)?.0.registry.clone())
    }

    fn scheme(&mut self, challenge: Resource<HeldChallenge>) -> wasmtime::Result<String> {
        self.enter()?;
        let word = match self.table().get(&challenge)?.0.scheme {
            Scheme::None => "none",
            Scheme::Basic => "basic",
            Scheme::Bearer => "bearer",
        };
        Ok(word.to_owned())
    }

    fn param(&mut self, challenge: Resource<HeldChallenge>, key: String) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        Ok(self.table().get(&challenge)?.0.params.get(&key).cloned())
    }

    fn repository(&mut self, challenge: Resource<HeldChallenge>) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        Ok(self.table().get(&challenge)?.0.repository.clone())
    }

    fn actions(&mut self, challenge: Resource<HeldChallenge>) -> wasmtime::Result<Vec<String>> {
        self.enter()?;
        Ok(self.table().get(&challenge)?.0.actions.clone())
    }

    fn offered(&mut self, challenge: Resource<HeldChallenge>) -> wasmtime::Result<Option<Resource<HeldCredential>>> {
        self.enter()?;
        let Some(offered) = self.table().get(&challenge)?.0.offered.clone() else { return Ok(None) };
        match self.hold_credential(offered) {
            Ok(held) => Ok(Some(held)),
            Err(Refusal::Policy(e)) => Err(wasmtime::Error::msg(e.to_string())),
            Err(Refusal::Trap(e)) => Err(e),
        }
    }

    fn caller(&mut self, challenge: Resource<HeldChallenge>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&challenge)?.0.caller.0.clone())
    }

    fn attempt(&mut self, challenge: Resource<HeldChallenge>) -> wasmtime::Result<u32> {
        self.enter()?;
        Ok(self.table().get(&challenge)?.0.attempt)
    }

    fn drop(&mut self, challenge: Resource<HeldChallenge>) -> wasmtime::Result<()> {
        self.table().delete(challenge)?;
        Ok(())
    }
}

impl Context {
    fn answer_with(&mut self, answer: &Resource<HeldAnswer>, value: auth::Answer) -> Answer<()> {
        self.table().get(answer)?.0.with(|slot| *slot = Some(value));
        Ok(())
    }
}

fn valid(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds.min(MAX_SECONDS)))
}

impl host::HostAnswer for Context {
    fn anonymous(&mut self, answer: Resource<HeldAnswer>) -> wasmtime::Result<()> {
        self.enter()?;
        self.table().get(&answer)?.0.with(|slot| *slot = Some(auth::Answer::Anonymous));
        Ok(())
    }

    fn basic(&mut self, answer: Resource<HeldAnswer>, credential: Resource<HeldCredential>) -> Answer<()> {
        self.enter()?;
        let (user, password) = self.table().get(&credential)?.password()?;
        self.answer_with(&answer, auth::Answer::Basic { user, password })
    }

    fn bearer(&mut self, answer: Resource<HeldAnswer>, token: Resource<HeldSecret>, seconds: u32) -> Answer<()> {
        self.enter()?;
        let held = self.table().get(&token)?.clone();
        self.rights().may_answer(held.bound(), self.challenge().map(Arc::as_ref))?;
        let token = held.value().clone();
        self.answer_with(&answer, auth::Answer::Bearer { token, valid: valid(seconds) })
    }

    fn bearer_credential(
        &mut self,
        answer: Resource<HeldAnswer>,
        credential: Resource<HeldCredential>,
        seconds: u32,
    ) -> Answer<()> {
        self.enter()?;
        let held = &self.table().get(&credential)?.0;
        if held.kind != CredentialKind::RegistryToken {
            return Err(PolicyError::Invalid("the credential is not a registry token".to_owned()).into());
        }
        let token = held.secret.clone();
        self.answer_with(&answer, auth::Answer::Bearer { token, valid: valid(seconds) })
    }

    fn drop(&mut self, answer: Resource<HeldAnswer>) -> wasmtime::Result<()> {
        self.table().delete(answer)?;
        Ok(())
    }
}

impl host::HostEndpoints for Context {
    fn add(&mut self, endpoints: Resource<HeldEndpoints>, origin: String, prefix: String) -> Answer<()> {
        self.enter()?;
        let origin = self.rights().mirror(&origin)?.to_string();
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-' | b'/');
        if prefix.len() > 255 || !prefix.bytes().all(plain) || prefix.contains("..") || prefix.starts_with('/') {
            return Err(
                PolicyError::Invalid("the prefix is not the beginning of a repository's name".to_owned()).into()
            );
        }
        self.table().get(&endpoints)?.0.with(|list| {
            if list.len() >= MAX_ENDPOINTS {
                let text = format!("a repository has at most {MAX_ENDPOINTS} mirrors");
                return Err(Refusal::from(PolicyError::Internal(text)));
            }
            list.push(Endpoint { origin, prefix });
            Ok(())
        })
    }

    fn drop(&mut self, endpoints: Resource<HeldEndpoints>) -> wasmtime::Result<()> {
        self.table().delete(endpoints)?;
        Ok(())
    }
}

impl host::HostManifestView for Context {
    fn reference(&mut self, manifest: Resource<HeldManifest>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&manifest)?.0.reference.clone())
    }

    fn digest(&mut self, manifest: Resource<HeldManifest>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&manifest)?.0.digest.to_string())
    }

    fn media_type(&mut self, manifest: Resource<HeldManifest>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&manifest)?.0.media_type.clone())
    }

    async fn referrers(&mut self, _: Resource<HeldManifest>, artifact_type: String) -> Answer<Vec<String>> {
        self.enter()?;
        let found = self.manifest(|reply| ManifestAsk::Referrers { artifact_type, reply }).await??;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    async fn blob(&mut self, _: Resource<HeldManifest>, digest: String) -> Answer<Vec<u8>> {
        self.enter()?;
        let digest = digest.parse().map_err(|_| PolicyError::Invalid(format!("{digest:?} is not a digest")))?;
        Ok(self.manifest(|reply| ManifestAsk::Blob { digest, reply }).await??)
    }

    fn drop(&mut self, manifest: Resource<HeldManifest>) -> wasmtime::Result<()> {
        self.table().delete(manifest)?;
        Ok(())
    }
}
