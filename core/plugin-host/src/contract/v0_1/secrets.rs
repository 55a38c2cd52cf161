//! `secrets`: handles to what a guest may use and never see. Each handle remembers where it may be sent.

use super::{bindings::davit::host::secrets, refusal::Answer};
use crate::{
    context::Context,
    hmac::hmac_sha256,
    origin::Origin,
    secret::{Bound, fingerprint},
};
use davit_model::{
    auth::{Credential, CredentialKind},
    error::PolicyError,
    secret::Secret,
};
use wasmtime::component::Resource;

/// What is behind `secret`.
#[derive(Clone, Debug)]
pub struct HeldSecret {
    value: Secret,
    bound: Bound,
}

impl HeldSecret {
    /// A secret that came in an answer from `origin`.
    pub(crate) fn answered(value: Secret, origin: Origin) -> Self {
        Self { value, bound: Bound::Origin(origin) }
    }

    /// The bytes, for the host's own side.
    pub(crate) fn value(&self) -> &Secret {
        &self.value
    }

    /// Where it may be sent.
    pub(crate) fn bound(&self) -> &Bound {
        &self.bound
    }
}

/// What is behind `credential`.
#[derive(Clone, Debug)]
pub struct HeldCredential(pub(crate) Credential);

impl HeldCredential {
    /// User and password for RFC 7617.
    pub(crate) fn password(&self) -> Result<(String, Secret), PolicyError> {
        let Self(credential) = self;
        if credential.kind != CredentialKind::Password {
            return Err(PolicyError::Invalid("the credential is a token, not a user's password".to_owned()));
        }
        let user = credential.user.clone().unwrap_or_default();
        if user.contains(':') {
            return Err(PolicyError::Invalid("the user's name has a colon, which Basic cannot carry".to_owned()));
        }
        Ok((user, credential.secret.clone()))
    }
}

impl Context {
    /// A handle for a secret.
    pub(crate) fn hold(&mut self, secret: HeldSecret) -> Answer<Resource<HeldSecret>> {
        self.keep(secret.value.reveal().len())?;
        Ok(self.table().push(secret)?)
    }

    /// A handle for a credential.
    pub(crate) fn hold_credential(&mut self, credential: Credential) -> Answer<Resource<HeldCredential>> {
        self.keep(credential.secret.reveal().len())?;
        Ok(self.table().push(HeldCredential(credential))?)
    }
}

impl secrets::Host for Context {
    async fn named(&mut self, name: String) -> Answer<Resource<HeldSecret>> {
        self.enter()?;
        self.rights().secret(&name)?;
        let services = self.services().clone();
        let plugin = self.site_name().to_owned();
        let value = self.wait(services.secret(&plugin, &name)).await??;
        self.hold(HeldSecret { value, bound: Bound::Site(name) })
    }

    async fn stored(&mut self, server: String) -> Answer<Option<Resource<HeldCredential>>> {
        self.enter()?;
        let Some(challenge) = self.challenge().cloned() else {
            return Err(PolicyError::Denied("stored credentials are for authenticate only".to_owned()).into());
        };
        self.rights().credentials(&challenge.caller)?;
        if server != challenge.registry {
            let text = format!("a credential for another registry than {}", challenge.registry);
            return Err(PolicyError::Denied(text).into());
        }
        let services = self.services().clone();
        let plugin = self.site_name().to_owned();
        match self.wait(services.stored_credential(&plugin, &server)).await?? {
            Some(credential) => Ok(Some(self.hold_credential(credential)?)),
            None => Ok(None),
        }
    }
}

impl secrets::HostSecret for Context {
    async fn fingerprint(&mut self, secret: Resource<HeldSecret>) -> wasmtime::Result<String> {
        self.enter()?;
        let value = self.table().get(&secret)?.value.clone();
        let services = self.services().clone();
        let kept = self.wait(services.fingerprint(&value)).await?;
        Ok(kept.map_err(|e| wasmtime::Error::msg(e.to_string()))?.unwrap_or_else(|| fingerprint(&value)))
    }

    async fn hmac_sha256(&mut self, secret: Resource<HeldSecret>, data: Vec<u8>) -> Answer<Vec<u8>> {
        self.enter()?;
        let held = self.table().get(&secret)?.clone();
        if !matches!(held.bound, Bound::Site(_)) {
            return Err(PolicyError::Denied("only a secret that the site names may sign".to_owned()).into());
        }
        let services = self.services().clone();
        let kept = self.wait(services.hmac_sha256(&held.value, &data)).await??;
        Ok(kept.unwrap_or_else(|| hmac_sha256(held.value.reveal().as_bytes(), &data).to_vec()))
    }

    fn drop(&mut self, secret: Resource<HeldSecret>) -> wasmtime::Result<()> {
        let kept = self.table().delete(secret)?.value.reveal().len();
        self.let_go(kept);
        Ok(())
    }
}

impl secrets::HostCredential for Context {
    fn user(&mut self, credential: Resource<HeldCredential>) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        Ok(self.table().get(&credential)?.0.user.clone())
    }

    fn kind(&mut self, credential: Resource<HeldCredential>) -> wasmtime::Result<String> {
        self.enter()?;
        let word = match self.table().get(&credential)?.0.kind {
            CredentialKind::Password => "password",
            CredentialKind::IdentityToken => "identity-token",
            CredentialKind::RegistryToken => "registry-token",
        };
        Ok(word.to_owned())
    }

    fn drop(&mut self, credential: Resource<HeldCredential>) -> wasmtime::Result<()> {
        let kept = self.table().delete(credential)?.0.secret.reveal().len();
        self.let_go(kept);
        Ok(())
    }
}
