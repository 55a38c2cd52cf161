//! One rule of the site's file about registries: which plugin logs in, which names mirrors, which judges manifests. To the rest
//! of the engine it is one authenticator.

use async_trait::async_trait;
use davit_model::{
    auth::{Answer, Challenge, Endpoint, ManifestReader, ManifestView, RegistryAuth},
    error::PortError,
};
use std::sync::Arc;

/// Three plugins, or one thrice.
#[derive(Clone, Debug)]
pub struct AuthRule {
    /// Answers challenges.
    pub authenticator: Arc<dyn RegistryAuth>,
    /// Names mirrors.
    pub resolver: Arc<dyn RegistryAuth>,
    /// Judges manifests.
    pub verifier: Arc<dyn RegistryAuth>,
}

#[async_trait]
impl RegistryAuth for AuthRule {
    fn name(&self) -> &str {
        self.authenticator.name()
    }

    async fn authenticate(&self, challenge: &Challenge) -> Result<Answer, PortError> {
        self.authenticator.authenticate(challenge).await
    }

    async fn resolve(&self, registry: &str, repository: &str) -> Result<Vec<Endpoint>, PortError> {
        self.resolver.resolve(registry, repository).await
    }

    async fn verify(&self, manifest: &ManifestView, reader: &dyn ManifestReader) -> Result<(), PortError> {
        self.verifier.verify(manifest, reader).await
    }
}
