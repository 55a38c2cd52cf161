//! Whether a site's file can be in force: what its plugins and the machine say to it, beyond what the file says itself.

use crate::{
    error::EngineError,
    plugins::asked_for,
    policy::{Installed, Policy, PolicyLoader},
    site::Site,
};
use std::{collections::BTreeSet, path::Path, sync::Arc};

impl Policy {
    /// The policy of a file that was just read: as [`Policy::load`], and the site's secrets can be read, and the storage
    /// drivers can work in this data root.
    pub async fn accept(
        loader: &dyn PolicyLoader,
        site: &Arc<Site>,
        installed: Vec<Installed>,
        data_root: &Path,
    ) -> Result<Self, EngineError> {
        let policy = Self::load(loader, site, installed).await?;
        for name in site.secrets.keys() {
            let read = loader.secret(site, name).await;
            read.map_err(|e| e.context(&site.at(&format!("secrets/{name}"))))?;
        }
        policy.probe(data_root).await?;
        Ok(policy)
    }

    /// The policy of a file with these plugins: each of its sections is of one of them, and gives it what it asks for.
    pub(crate) async fn load(
        loader: &dyn PolicyLoader,
        site: &Arc<Site>,
        installed: Vec<Installed>,
    ) -> Result<Self, EngineError> {
        site.check_sections(&installed.iter().map(|i| i.name.as_str()).collect())?;
        let policy = loader.load(site, installed).await?;
        policy.check_grants(loader)?;
        Ok(policy)
    }

    /// A right that a plugin does not ask for is none that it has: who wrote it down means something else.
    fn check_grants(&self, loader: &dyn PolicyLoader) -> Result<(), EngineError> {
        for plugin in &self.plugins {
            let name = plugin.name.as_str();
            let Some(section) = self.site.plugins.get(name).filter(|s| !s.grant.is_empty()) else { continue };
            for right in &plugin.grants {
                let asked = asked_for(loader, name, &plugin.asks, &BTreeSet::from([right.clone()]));
                let word = right.split(' ').next().unwrap_or(right);
                // `secrets` in the file, `secret` in words.
                let said = |key: &&String| key.as_str() == word || key.strip_suffix('s') == Some(word);
                let key = section.grant.keys().find(said).map_or(word, String::as_str);
                asked.map_err(|e| e.context(&self.site.at(&format!("plugins/{name}/grant/{key}"))))?;
            }
        }
        Ok(())
    }
}
