//! `install`: a component that was brought here becomes a plugin, with what the operator grants and no more.

use super::{
    grant::Granting,
    plugin_operation,
    record::{ComponentRecord, PluginRecord, PluginVersion},
    switch::Becomes,
};
use crate::{Engine, EngineError, policy::AskedRight, tables};
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
        asked_for(&name, &component.inspected.asks, &granted)?;
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

/// Whether each right is one that was asked for. What belongs to stored credentials (a file, callers) is the site's to say.
pub(super) fn asked_for(name: &str, asks: &[AskedRight], grant: &BTreeSet<String>) -> Result<(), EngineError> {
    let asked = |word: &str| asks.iter().any(|a| a.right == word || a.leaves_to_the_site(word));
    let fits = |word: &str| asked(word) || (word.starts_with("credential-") && asked("credentials"));
    let Some(word) = grant.iter().find(|word| !fits(word)) else { return Ok(()) };
    let all: Vec<&str> = asks.iter().map(|a| a.right.as_str()).collect();
    let all = if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
    Err(EngineError::invalid(format!("plugin {name} does not ask for {word:?}; it asks for {all}")))
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
    fn nothing_is_granted_that_was_not_asked_for() {
        let asks: Vec<AskedRight> =
            ["state", "credentials"].map(|r| AskedRight { right: r.into(), ..AskedRight::default() }).into();
        let grant = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<BTreeSet<String>>();
        assert!(asked_for("p", &asks, &grant(&["state", "credential-file /etc/c.json"])).is_ok());
        assert!(asked_for("p", &asks, &grant(&[])).is_ok());
        let e = asked_for("p", &asks, &grant(&["http https://a.example"])).unwrap_err();
        assert!(e.message().contains("it asks for state, credentials"), "{e}");
        assert!(asked_for("p", &asks[..1], &grant(&["credential-caller uid:0"])).is_err());
    }

    #[test]
    fn what_is_left_to_the_site_is_granted_by_name_alone() {
        let asks: Vec<AskedRight> =
            ["http *", "state"].map(|r| AskedRight { right: r.into(), ..AskedRight::default() }).into();
        let grant = |word: &str| BTreeSet::from([word.to_owned()]);
        assert!(asked_for("p", &asks, &grant("http https://sink.example")).is_ok());
        assert!(asked_for("p", &asks, &grant("http realm")).is_err(), "no name of the site");
        assert!(asked_for("p", &asks, &grant("secret key")).is_err());
        assert_eq!(nameable(&asks), grant("state"));
    }
}
