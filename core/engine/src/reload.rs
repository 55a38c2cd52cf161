//! `reload`: reads the site's file again and swaps the policy as a whole; an invalid file changes nothing.

use crate::{Engine, EngineError, policy::Policy, site::Site};
use std::sync::Arc;

impl Engine {
    /// Reads the site's file again. Work in flight keeps the policy it began with.
    pub async fn reload(&self) -> Result<String, EngineError> {
        let path = self.inner.options.site_file.clone();
        let site = Arc::new(Site::read(&path)?);
        let _alone = self.inner.plugin_changes.lock().await;
        let installed = crate::plugins::installed(&self.inner.store, &self.inner.db).await?;
        let policy = Policy::accept(&*self.inner.loader, &site, installed, &self.inner.options.data_root).await?;
        self.inner.set_policy(Arc::new(policy));
        let loaded = self.inner.policy().plugins.len();
        Ok(format!("{} is in force: {loaded} plugins", path.display()))
    }
}
