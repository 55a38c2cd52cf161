//! `grant` and `revoke`: what a plugin may do, right by right. It holds for one component and acts on the next call.

use super::{
    install::{asked_for, nameable, of_version, words},
    plugin_operation,
    record::{PluginRecord, PluginVersion},
    switch::Becomes,
};
use crate::{Engine, EngineError};
use davit_model::id::Caller;
use std::collections::BTreeSet;

/// What is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Granting {
    /// What was granted before, as far as it is asked for; nothing where nothing was.
    Carried,
    /// All that is asked for.
    All,
    /// These rights.
    These(BTreeSet<String>),
}

impl Engine {
    /// The rights of a grant as the site's file has it (TOML), in words, and the component that it is for where it says so.
    pub fn read_grant(&self, text: &str) -> Result<(BTreeSet<String>, Option<String>), EngineError> {
        let table = text.parse::<toml::Table>();
        let table = table.map_err(|e| EngineError::invalid(format!("the grant: {}", e.to_string().trim())))?;
        self.inner.loader.grant_in_words(&table)
    }

    /// Grants rights: to the version that waits for it, which then comes into force, or else to the one in force.
    pub async fn grant_plugin(
        &self,
        caller: &Caller,
        name: &str,
        grant: Granting,
    ) -> Result<PluginRecord, EngineError> {
        self.admit(&plugin_operation("plugin.grant", caller, name, None)).await?;
        let _alone = self.inner.plugin_changes.lock().await;
        let mut record = self.plugin_record(name).await?;
        let version = record.held.as_ref().unwrap_or(&record.current);
        let more = match grant {
            Granting::Carried => BTreeSet::new(),
            Granting::All => nameable(&version.asks),
            Granting::These(words) => words,
        };
        let loader = &*self.inner.loader;
        let more = asked_for(loader, name, &version.asks, &more)?;
        let granted = loader.common(&words(&version.asks), &version.granted.union(&more).cloned().collect())?;
        if let Some(held) = record.held.clone() {
            return self.bring_into_force(record, PluginVersion { granted, ..held }).await;
        }
        record.current.granted = granted;
        self.regranted(record, "plugin.grant").await
    }

    /// Takes rights away: these, or all.
    pub async fn revoke_plugin(
        &self,
        caller: &Caller,
        name: &str,
        rights: Option<&BTreeSet<String>>,
    ) -> Result<PluginRecord, EngineError> {
        self.admit(&plugin_operation("plugin.revoke", caller, name, None)).await?;
        let _alone = self.inner.plugin_changes.lock().await;
        let mut record = self.plugin_record(name).await?;
        match rights {
            None => record.current.granted.clear(),
            Some(rights) => {
                let left = self.inner.loader.without(&record.current.granted, rights);
                record.current.granted = left.map_err(|e| e.context(&format!("plugin {name}")))?;
            }
        }
        self.regranted(record, "plugin.revoke").await
    }

    async fn regranted(&self, record: PluginRecord, event: &str) -> Result<PluginRecord, EngineError> {
        self.switch(Becomes::This(Box::new(record.clone())), Vec::new()).await?;
        let mut attributes = of_version(&record.current);
        let granted: Vec<&str> = record.current.granted.iter().map(String::as_str).collect();
        attributes.insert("granted".to_owned(), granted.join(", "));
        self.publish(event, &record.name, attributes);
        Ok(record)
    }
}
