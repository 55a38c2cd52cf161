//! `reload`: reads the site's file again and swaps the policy as a whole; an invalid file changes nothing.

use crate::{Engine, EngineError, policy::LoadedPlugin, site::Site};
use std::sync::Arc;

impl Engine {
    /// Reads the site's file again. Work in flight keeps the policy it began with.
    pub async fn reload(&self) -> Result<String, EngineError> {
        let path = self.inner.options.site_file.clone();
        let site = Site::read(&path)?;
        let policy = self.inner.loader.load(&site).await?;
        self.inner.set_policy(Arc::new(policy));
        let loaded = self.inner.policy().plugins.len();
        Ok(format!("{} is in force: {loaded} plugins", path.display()))
    }

    /// The plugins that are loaded.
    pub async fn plugins(&self) -> Vec<LoadedPlugin> {
        self.inner.policy().plugins.clone()
    }
}
