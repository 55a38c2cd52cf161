//! `rollback`: the version before takes the place of the one in force, and what the plugin remembers is what it
//! remembered then.

use super::{install::of_version, plugin_operation, record::PluginRecord, switch::Becomes};
use crate::{Engine, EngineError, tables::Change};
use davit_model::id::Caller;
use davit_store::db::state::bring_back_in;
use jiff::Timestamp;

impl Engine {
    /// Goes back to the version before.
    pub async fn rollback_plugin(&self, caller: &Caller, name: &str) -> Result<PluginRecord, EngineError> {
        self.admit(&plugin_operation("plugin.rollback", caller, name, None)).await?;
        let _alone = self.inner.plugin_changes.lock().await;
        let mut record = self.plugin_record(name).await?;
        if record.previous.is_empty() {
            return Err(EngineError::conflict(format!(
                "plugin {name} has no version before {}",
                record.current.version
            )));
        }
        record.current = record.previous.remove(0);
        record.current.since = Timestamp::now();
        record.held = None;
        let (plugin, version) = (name.to_owned(), record.current.component.to_string());
        let state: Change = Box::new(move |c| bring_back_in(c, &plugin, &version));
        self.switch(Becomes::This(Box::new(record.clone())), vec![state]).await?;
        self.publish("plugin.rollback", name, of_version(&record.current));
        Ok(record)
    }
}
