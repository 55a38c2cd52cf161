//! `install`: a component that was brought here becomes a plugin, with what the operator grants and no more.

use super::{
    grant::Granting,
    plugin_operation,
    record::{ComponentRecord, PluginRecord, PluginVersion},
    switch::Becomes,
};
use crate::{
    Engine, EngineError,
    policy::{AskedRight, PolicyLoader},
    tables,
};
use davit_model::{digest::Digest, id::Caller};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A plugin to install.
#[derive(Clone, Debug)]
pub struct InstallRequest {
    /// The component, which is here.
    pub component: Digest,
    /// Its name in the site's file; none: that of its manifest.
    pub name: Option<String>,
    /// What it is granted.
    pub grant: Granting,
    /// Whether the site's file may use it at once.
    pub enabled: bool,
}

impl Engine {
    /// Installs a plugin.
    pub async fn install_plugin(&self, caller: &Caller, request: InstallRequest) -> Result<PluginRecord, EngineError> {
        let component = self.component(&request.component.to_string()).await?;
        let name = request.name.unwrap_or_else(|| component.inspected.name.clone());
        is_name(&name)?;
        self.admit(&plugin_operation("plugin.install", caller, &name, Some(&component.digest))).await?;
        let _alone = self.inner.plugin_changes.lock().await;
        if let Some(there) = tables::all::<PluginRecord>(&self.inner.db).await?.into_iter().find(|p| p.name == name) {
            return Err(EngineError::conflict(format!(
                "plugin {name} is installed already: {}; davit plugin upgrade {name} brings another version, and \
                 --alias another name",
                there.current.shown()
            )));
        }
        let granted = match request.grant {
            Granting::Carried => BTreeSet::new(),
            Granting::All => nameable(&component.inspected.asks),
            Granting::These(words) => words,
        };
        let granted = asked_for(&*self.inner.loader, &name, &component.inspected.asks, &granted)?;
        let record = PluginRecord {
            name: name.clone(),
            installed: Timestamp::now(),
            enabled: request.enabled,
            current: PluginVersion::of(&component, granted),
            previous: Vec::new(),
            held: None,
            failure: None,
        };
        self.switch(Becomes::This(Box::new(record.clone())), Vec::new()).await?;
        self.publish("plugin.install", &name, of_version(&record.current));
        Ok(record)
    }
}

/// Attributes of an event about a version.
pub(super) fn of_version(version: &PluginVersion) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("name".to_owned(), version.plugin.clone()),
        ("version".to_owned(), version.version.clone()),
        ("component".to_owned(), version.component.to_string()),
    ])
}

/// Attributes of an event about a component.
pub(super) fn of_component(component: &ComponentRecord) -> BTreeMap<String, String> {
    of_version(&PluginVersion::of(component, BTreeSet::new()))
}

/// What of a grant is asked for, where each right of it is in some part. What belongs to stored credentials (a file,
/// callers) is the site's to say.
pub(crate) fn asked_for(
    loader: &dyn PolicyLoader,
    name: &str,
    asks: &[AskedRight],
    grant: &BTreeSet<String>,
) -> Result<BTreeSet<String>, EngineError> {
    let asked = words(asks);
    for word in grant {
        let common =
            loader.common(&asked, &BTreeSet::from([word.clone()])).map_err(|e| e.context(&format!("plugin {name}")))?;
        if common.is_empty() {
            let all: Vec<&str> = asked.iter().map(String::as_str).collect();
            let all = if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
            return Err(EngineError::invalid(format!("plugin {name} does not ask for {word:?}; it asks for {all}")));
        }
    }
    loader.common(&asked, grant)
}

/// What is asked for, in words.
pub(super) fn words(asks: &[AskedRight]) -> BTreeSet<String> {
    asks.iter().map(|asked| asked.right.clone()).collect()
}

/// All that can be granted as it is asked for: what is left to the site to name is granted by name.
pub(super) fn nameable(asks: &[AskedRight]) -> BTreeSet<String> {
    asks.iter().filter(|a| !a.is_sites_own()).map(|a| a.right.clone()).collect()
}

/// A name is a key of the site's file.
fn is_name(name: &str) -> Result<(), EngineError> {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(letter) && name.len() <= 64 {
        return Ok(());
    }
    Err(EngineError::invalid(format!("{name:?} is not a plugin's name: [a-z][a-z0-9-]*, at most 64 letters")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_to_the_site_is_granted_by_name_alone() {
        let asks: Vec<AskedRight> = ["http *", "http GET *", "secret * https://a.example", "state", "adjust /labels/*"]
            .map(|r| AskedRight { right: r.into(), ..AskedRight::default() })
            .into();
        assert_eq!(nameable(&asks), ["state", "adjust /labels/*"].map(str::to_owned).into());
    }
}
