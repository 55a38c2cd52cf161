//! `rm`: a plugin goes, with its versions and what it remembers. One that is in use stays, and by whom is said.

use super::{plugin_operation, record::PluginRecord, switch::Becomes};
use crate::{
    Engine, EngineError,
    images::store_error,
    record::NetworkRecord,
    tables::{self, Change},
};
use davit_model::id::Caller;
use davit_store::db::state::forget_all_in;
use std::collections::BTreeMap;

impl Engine {
    /// Removes a plugin.
    pub async fn remove_plugin(&self, caller: &Caller, name: &str) -> Result<PluginRecord, EngineError> {
        self.admit(&plugin_operation("plugin.remove", caller, name, None)).await?;
        let _alone = self.inner.plugin_changes.lock().await;
        let record = self.plugin_record(name).await?;
        let mut users = self.users(name).await?;
        let site = self.inner.policy().site.clone();
        if users.is_empty() && site.plugins.contains_key(name) {
            // It would be of nobody, and such a file is refused.
            users.push(format!("[plugins.{name}] of the site's file ({})", site.at_plugin(name)));
        }
        self.unused(name, "removed", &users)?;
        let plugin = name.to_owned();
        let forget: Change = Box::new(move |c| forget_all_in(c, &plugin));
        self.switch(Becomes::Gone(name.to_owned()), vec![forget]).await?;
        self.drop_components().await?;
        self.publish("plugin.remove", name, BTreeMap::from([("name".to_owned(), record.current.plugin.clone())]));
        Ok(record)
    }

    /// Who uses a plugin: the site's file, containers, networks, layers.
    pub(super) async fn users(&self, name: &str) -> Result<Vec<String>, EngineError> {
        let mut users = self.inner.policy().site.uses(name);
        for container in self.inner.containers.all() {
            if container.read(|r| r.driver == name) {
                users.push(format!("container {}", container.read(|r| r.name.to_string())));
            }
        }
        let networks = tables::all::<NetworkRecord>(&self.inner.db).await?;
        users.extend(networks.into_iter().filter(|n| n.driver == name).map(|n| format!("network {}", n.name)));
        let layers = self.inner.store.layers_of(name).await.map_err(store_error)?;
        if layers > 0 {
            users.push(format!(
                "{layers} layers of images (those that no image has any more go with: davit image prune)"
            ));
        }
        Ok(users)
    }
}
