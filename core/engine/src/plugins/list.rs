//! Plugins for lists and `inspect`: those that the site's file uses, and those that were installed.

use super::record::PluginRecord;
use crate::{
    Engine, EngineError,
    policy::{Calls, LoadedPlugin, LogLine},
    tables,
};
use std::collections::BTreeMap;

/// A plugin with all that is known of it.
#[derive(Clone, Debug)]
pub struct PluginDetails {
    /// The name that the site's file uses.
    pub name: String,
    /// What was loaded of it for the policy in force; none where the site's file does not use it.
    pub loaded: Option<LoadedPlugin>,
    /// What was installed; none where it comes with the site's file.
    pub record: Option<PluginRecord>,
    /// Where the site's file uses it, in words.
    pub used_as: Vec<String>,
    /// Its calls.
    pub calls: Calls,
}

impl Engine {
    /// All plugins, by name.
    pub async fn plugins(&self) -> Result<Vec<PluginDetails>, EngineError> {
        let policy = self.inner.policy();
        let mut records: BTreeMap<String, PluginRecord> =
            tables::all::<PluginRecord>(&self.inner.db).await?.into_iter().map(|r| (r.name.clone(), r)).collect();
        let details = |name: String, loaded: Option<LoadedPlugin>, record: Option<PluginRecord>| PluginDetails {
            used_as: policy.site.uses(&name),
            calls: self.inner.loader.calls(&name),
            name,
            loaded,
            record,
        };
        let mut all: Vec<PluginDetails> = policy
            .plugins
            .iter()
            // One that the site's file takes from elsewhere hides an installed one of the same name.
            .map(|p| details(p.name.clone(), Some(p.clone()), records.remove(&p.name)))
            .collect();
        all.extend(records.into_iter().map(|(name, record)| details(name, None, Some(record))));
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// One plugin.
    pub async fn plugin(&self, name: &str) -> Result<PluginDetails, EngineError> {
        let found = self.plugins().await?.into_iter().find(|p| p.name == name);
        found.ok_or_else(|| EngineError::not_found(format!("No such plugin: {name}")))
    }

    /// What a plugin logged last, and what it logs from now on.
    pub async fn plugin_log(
        &self,
        name: &str,
    ) -> Result<(Vec<LogLine>, tokio::sync::broadcast::Receiver<LogLine>), EngineError> {
        self.plugin(name).await?;
        Ok(self.inner.loader.log(name))
    }
}
