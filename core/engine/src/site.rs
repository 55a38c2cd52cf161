//! The site's file: which storage driver, which authenticator for which registry, which network drivers, which
//! lifecycle chain; and where each plugin comes from, what it is told and what it is granted. TOML; unknown keys are
//! errors, because a policy that is not enforced must not be accepted.

use crate::error::EngineError;
use davit_model::lifecycle::FailMode;
use davit_network::Pools;
use ipnet::IpNet;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// A site's file, read and checked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// `[storage]`
    pub storage: StorageSection,
    /// `[[auth]]`, in order.
    #[serde(default)]
    pub auth: Vec<AuthSection>,
    /// `[network]`
    pub network: NetworkSection,
    /// `[[lifecycle]]`, in order.
    #[serde(default)]
    pub lifecycle: Vec<LifecycleSection>,
    /// `[plugins.NAME]`
    #[serde(default)]
    pub plugins: BTreeMap<String, PluginSection>,
    /// `[secrets]`: name to file, readable by root only.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
}

/// `[storage]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageSection {
    /// The driver of new containers and layers: a plugin's name.
    pub driver: String,
    /// Drivers that containers may ask for beside it.
    #[serde(default)]
    pub also: Vec<String>,
}

/// `[[auth]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSection {
    /// `registry/repository` with `*`; a registry alone stands for all of it.
    pub pattern: String,
    /// The plugin that answers.
    pub plugin: String,
    /// The plugin that names mirrors; absent: the same.
    pub resolver: Option<String>,
    /// The plugin that judges manifests; absent: the same.
    pub verifier: Option<String>,
}

impl AuthSection {
    /// The plugins of the rule, each with what it does.
    pub fn plugins(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let more = [("resolver", self.resolver.as_ref()), ("verifier", self.verifier.as_ref())];
        let more = more.into_iter().filter_map(|(what, name)| Some((what, name?)));
        std::iter::once(("auth", &self.plugin)).chain(more)
    }
}

/// `[network]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSection {
    /// The driver of the default network: a plugin's name.
    pub default: String,
    /// All drivers; the default is one of them.
    pub drivers: Vec<String>,
    /// Where subnets are taken from when nobody asks for one.
    #[serde(default)]
    pub pool: Vec<PoolSection>,
    /// Whether the default network has IPv6 as well.
    #[serde(default)]
    pub ipv6: bool,
    /// Interfaces of the host that drivers may put links on.
    #[serde(default)]
    pub parents: Vec<String>,
}

/// One range of the pool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolSection {
    /// The range.
    pub base: IpNet,
    /// Prefix length of the subnets cut from it.
    pub size: u8,
}

/// `[[lifecycle]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifecycleSection {
    /// The plugin.
    pub plugin: String,
    /// What happens when it cannot answer; there is no default.
    pub fail: FailMode,
    /// Plugins before it in the chain whose changes of a field it may change again. Without, that is a conflict.
    #[serde(default)]
    pub after: BTreeSet<String>,
}

/// `[plugins.NAME]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginSection {
    /// A path to a component, or the name of a shipped one; absent: the shipped one of the section's name.
    pub source: Option<String>,
    /// What the plugin is told.
    #[serde(default)]
    pub config: toml::Table,
    /// What the plugin is granted; read by the plugin host.
    #[serde(default)]
    pub grant: toml::Table,
}

impl NetworkSection {
    /// The pools, checked.
    pub(crate) fn pools(&self) -> Result<Pools, EngineError> {
        Ok(Pools::new(self.pool.iter().map(|p| (p.base, p.size)).collect())?)
    }
}

impl Site {
    /// Reads a file. The error names the file, the line and the reason.
    pub fn read(path: &Path) -> Result<Self, EngineError> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| EngineError::invalid(format!("the site's file {} cannot be read: {e}", path.display())))?;
        Self::parse(&text).map_err(|e| e.context(&format!("the site's file {}", path.display())))
    }

    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, EngineError> {
        let site: Self = toml::from_str(text).map_err(|e| EngineError::invalid(e.to_string().trim().to_owned()))?;
        site.check()?;
        Ok(site)
    }

    fn check(&self) -> Result<(), EngineError> {
        if !self.network.drivers.contains(&self.network.default) {
            return Err(EngineError::invalid(format!(
                "[network] default = {:?} is not among its drivers {:?}",
                self.network.default, self.network.drivers
            )));
        }
        for (at, rule) in self.lifecycle.iter().enumerate() {
            let before: BTreeSet<&str> = self.lifecycle.iter().take(at).map(|l| l.plugin.as_str()).collect();
            if let Some(name) = rule.after.iter().find(|name| !before.contains(name.as_str())) {
                return Err(EngineError::invalid(format!(
                    "[[lifecycle]] {:?} is to come after {name:?}, which does not stand before it",
                    rule.plugin
                )));
            }
        }
        for pool in &self.network.pool {
            if pool.size < pool.base.prefix_len() || pool.size > pool.base.max_prefix_len() {
                return Err(EngineError::invalid(format!(
                    "[network] pool {}: subnets of /{} do not fit into it",
                    pool.base, pool.size
                )));
            }
        }
        self.network.pools().map(drop).map_err(|e| e.context("[network] pool"))
    }

    /// Where the file uses a plugin, in words.
    pub fn uses(&self, name: &str) -> Vec<String> {
        let mut uses = Vec::new();
        if self.storage.driver == name {
            uses.push("storage driver".to_owned());
        }
        if self.storage.also.iter().any(|n| n == name) {
            uses.push("storage driver by name".to_owned());
        }
        let rules = self.auth.iter().flat_map(|a| a.plugins().map(move |(what, plugin)| (what, plugin, &a.pattern)));
        let rules = rules.filter(|(_, plugin, _)| *plugin == name);
        uses.extend(rules.map(|(what, _, pattern)| format!("{what} for {pattern}")));
        if self.network.default == name {
            uses.push("default network".to_owned());
        } else if self.network.drivers.iter().any(|n| n == name) {
            uses.push("network driver".to_owned());
        }
        let chain = self.lifecycle.iter().enumerate().filter(|(_, l)| l.plugin == name);
        uses.extend(chain.map(|(at, _)| format!("lifecycle #{}", at + 1)));
        uses
    }

    /// Every plugin that the file uses, with its section.
    pub fn used(&self) -> BTreeMap<&str, PluginSection> {
        let names = std::iter::once(&self.storage.driver)
            .chain(&self.storage.also)
            .chain(self.auth.iter().flat_map(|a| a.plugins().map(|(_, plugin)| plugin)))
            .chain(&self.network.drivers)
            .chain(self.lifecycle.iter().map(|l| &l.plugin));
        names.map(|n| (n.as_str(), self.plugins.get(n).cloned().unwrap_or_default())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [storage]
        driver = "a"
        [[auth]]
        pattern = "*"
        plugin = "b"
        [network]
        default = "c"
        drivers = ["c", "d"]
        pool = [{ base = "10.9.0.0/16", size = 24 }]
        [[lifecycle]]
        plugin = "e"
        fail = "closed"
        [plugins.e]
        source = "/x/e.wasm"
        config = { labels = { k = "v" } }
    "#;

    #[test]
    fn a_file_says_which_plugins_are_used() {
        let site = Site::parse(GOOD).unwrap();
        assert_eq!(site.used().keys().copied().collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
        assert_eq!(site.used()["e"].source.as_deref(), Some("/x/e.wasm"));
    }

    #[test]
    fn mirrors_and_trust_may_be_other_plugins_than_the_login() {
        let site = Site::parse(&GOOD.replace("plugin = \"b\"", "plugin = \"b\"\nverifier = \"v\"")).unwrap();
        assert!(site.used().contains_key("v"));
        assert_eq!(site.uses("v"), ["verifier for *"]);
        assert_eq!(site.uses("b"), ["auth for *"]);
    }

    #[test]
    fn errors_name_line_and_reason() {
        let e = Site::parse(&GOOD.replace("fail =", "fial =")).unwrap_err();
        assert!(e.message().contains("line 13") && e.message().contains("fial"), "{e}");
        let e = Site::parse(&GOOD.replace("fail = \"closed\"", "")).unwrap_err();
        assert!(e.message().contains("fail"), "{e}");
        let e = Site::parse(&GOOD.replace("fail = \"closed\"", "fail = \"closed\"\nafter = [\"f\"]")).unwrap_err();
        assert!(e.message().contains("\"e\" is to come after \"f\""), "{e}");
        let e = Site::parse(&GOOD.replace("default = \"c\"", "default = \"z\"")).unwrap_err();
        assert!(e.message().contains("\"z\""), "{e}");
    }
}
