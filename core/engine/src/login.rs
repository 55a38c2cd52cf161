//! `login`: asks a registry whether a credential is good. Nothing is kept here: the client keeps it.

use crate::{Engine, EngineError, pull::registry_error};
use davit_model::{auth::Credential, id::Caller};

impl Engine {
    /// Checks a credential; answers Docker's words for success.
    pub async fn login(&self, caller: &Caller, credential: Credential) -> Result<String, EngineError> {
        let registry = credential.server.clone();
        let session =
            davit_registry::Session::new(self.inner.policy().auth_for(&registry)?, caller.clone(), Some(credential));
        self.inner.registry.login(&session, &registry).await.map_err(registry_error)?;
        Ok("Login Succeeded".to_owned())
    }
}
