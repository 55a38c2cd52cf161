//! `upgrade`: another version takes a plugin's place. One that asks for no more than its predecessor goes through with what
//! it still asks for of the same grant; one that asks for more is held until it is granted. One that does not answer is
//! rolled back by itself.

use super::{
    grant::Granting,
    install::{asked_for, nameable, of_version, words},
    plugin_operation,
    record::{KEPT, PluginFailure, PluginRecord, PluginVersion},
    switch::Becomes,
};
use crate::{Engine, EngineError, tables::Change};
use davit_model::{digest::Digest, id::Caller};
use davit_store::db::state::{forget_but_in, keep_in};
use jiff::Timestamp;
use std::collections::BTreeSet;

impl Engine {
    /// Upgrades a plugin to a component that is here. It keeps what its predecessor was granted, as far as it asks for it.
    pub async fn upgrade_plugin(
        &self,
        caller: &Caller,
        name: &str,
        component: &Digest,
        grant: Granting,
    ) -> Result<PluginRecord, EngineError> {
        self.admit(&plugin_operation("plugin.upgrade", caller, name, Some(component))).await?;
        let component = self.component(&component.to_string()).await?;
        let _alone = self.inner.plugin_changes.lock().await;
        let mut record = self.plugin_record(name).await?;
        if component.digest == record.current.component {
            return Err(EngineError::new(crate::Kind::NotModified, format!("plugin {name} is at this version")));
        }
        let current = &record.current;
        if component.inspected.name != current.plugin {
            return Err(EngineError::invalid(format!(
                "{} is the plugin {}, and {name} is {}; install it beside with: davit plugin install",
                component.source, component.inspected.name, current.plugin
            )));
        }
        let asks = &component.inspected.asks;
        let loader = &*self.inner.loader;
        let (asked, carried) = (words(asks), &current.granted);
        let more = loader.beyond(&asked, &words(&current.asks), carried)?;
        let (more_granted, held) = match grant {
            Granting::Carried => (BTreeSet::new(), !more.is_empty()),
            Granting::All => (nameable(asks), false),
            Granting::These(words) => (asked_for(loader, name, asks, &words)?, false),
        };
        let granted = loader.common(&asked, &more_granted.union(carried).cloned().collect())?;
        let version = PluginVersion { more, ..PluginVersion::of(&component, granted) };
        if held {
            record.held = Some(version);
            self.note(&record).await?;
            return Ok(record);
        }
        self.bring_into_force(record, version).await
    }

    /// The version takes the place of the one in force, with what the plugin remembers; or is rolled back.
    pub(super) async fn bring_into_force(
        &self,
        before: PluginRecord,
        mut version: PluginVersion,
    ) -> Result<PluginRecord, EngineError> {
        let name = before.name.clone();
        version.since = Timestamp::now();
        version.more.clear();
        let mut record = before.clone();
        let old = std::mem::replace(&mut record.current, version.clone());
        let kept_as = old.component.to_string();
        record.previous.retain(|v| v.component != old.component && v.component != version.component);
        record.previous.insert(0, old);
        record.previous.truncate(KEPT);
        (record.held, record.failure) = (None, None);
        let versions: Vec<String> = record.previous.iter().map(|v| v.component.to_string()).collect();
        let plugin = name.clone();
        let keep: Change = Box::new(move |c| {
            keep_in(c, &plugin, &kept_as)?;
            forget_but_in(c, &plugin, &versions.iter().map(String::as_str).collect::<Vec<_>>())
        });
        match self.switch(Becomes::This(Box::new(record.clone())), vec![keep]).await {
            Ok(()) => {
                self.publish("plugin.upgrade", &name, of_version(&record.current));
                Ok(record)
            }
            Err(e) => Err(self.rolled_back(before, &version, &e).await),
        }
    }

    /// Writes down that a version did not answer. The old one never left its place.
    async fn rolled_back(&self, mut record: PluginRecord, version: &PluginVersion, why: &EngineError) -> EngineError {
        record.held = None;
        record.failure = Some(PluginFailure {
            component: version.component.clone(),
            version: version.version.clone(),
            why: why.message().to_owned(),
            at: Timestamp::now(),
        });
        if let Err(e) = self.note(&record).await {
            tracing::warn!(plugin = record.name, "{e}");
        }
        let mut attributes = of_version(version);
        attributes.insert("reason".to_owned(), why.message().to_owned());
        self.publish("plugin.rolled-back", &record.name, attributes);
        EngineError::new(
            why.kind(),
            format!(
                "plugin {} stays at {}: the new version was rolled back: {}",
                record.name,
                record.current.version,
                why.message()
            ),
        )
    }
}
