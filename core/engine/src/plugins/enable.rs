//! `enable` and `disable`: whether the site's file may use a plugin. One that it uses is not taken from under it.

use super::{install::of_version, plugin_operation, record::PluginRecord, switch::Becomes};
use crate::{Engine, EngineError};
use davit_model::id::Caller;

impl Engine {
    /// Lets the site's file use a plugin.
    pub async fn enable_plugin(&self, caller: &Caller, name: &str) -> Result<PluginRecord, EngineError> {
        self.able(caller, name, true).await
    }

    /// Keeps the site's file from using it.
    pub async fn disable_plugin(&self, caller: &Caller, name: &str) -> Result<PluginRecord, EngineError> {
        self.able(caller, name, false).await
    }

    async fn able(&self, caller: &Caller, name: &str, enabled: bool) -> Result<PluginRecord, EngineError> {
        let kind = if enabled { "plugin.enable" } else { "plugin.disable" };
        self.admit(&plugin_operation(kind, caller, name, None)).await?;
        let _alone = self.inner.plugin_changes.lock().await;
        let mut record = self.plugin_record(name).await?;
        if record.enabled == enabled {
            let is = if enabled { "enabled" } else { "disabled" };
            return Err(EngineError::new(crate::Kind::NotModified, format!("plugin {name} is {is} already")));
        }
        if !enabled {
            self.unused(name, "disabled", &self.users(name).await?)?;
        }
        record.enabled = enabled;
        self.switch(Becomes::This(Box::new(record.clone())), Vec::new()).await?;
        self.publish(kind, name, of_version(&record.current));
        Ok(record)
    }

    /// Refuses where somebody needs the plugin, and says who.
    pub(super) fn unused(&self, name: &str, what: &str, users: &[String]) -> Result<(), EngineError> {
        if users.is_empty() {
            return Ok(());
        }
        Err(EngineError::conflict(format!("plugin {name} cannot be {what}: it is in use: {}", users.join("; "))))
    }
}
