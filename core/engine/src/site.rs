//! The site's file: which storage driver, which authenticator for which registry, which network drivers, which
//! lifecycle chain; and where each plugin comes from, what it is told and what it is granted. TOML; unknown keys are
//! errors, because a policy that is not enforced must not be accepted.
//!
//! `check` is what a file must keep to beyond its form, `lines` leads errors to `FILE:LINE`.

mod check;
mod lines;

use crate::error::EngineError;
use davit_model::lifecycle::FailMode;
use davit_network::Pools;
use ipnet::IpNet;
use lines::Lines;
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
    #[serde(skip)]
    lines: Lines,
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
        Self::parse(path, &text)
    }

    /// Reads the text of a file.
    pub fn parse(path: &Path, text: &str) -> Result<Self, EngineError> {
        let lines = Lines::of(path, text);
        let read: Result<Self, toml::de::Error> = toml::from_str(text);
        let mut site = read.map_err(|e| EngineError::invalid(e.message()).context(&lines.at_span(e.span())))?;
        site.lines = lines;
        site.check()?;
        Ok(site)
    }

    /// `FILE:LINE` of what the file says at a path, such as `lifecycle/0/plugin`; where it says nothing there, of the part
    /// that it would be in.
    pub fn at(&self, what: &str) -> String {
        self.lines.at(what)
    }

    /// `FILE:LINE` of a plugin's section, or else of its first use.
    pub fn at_plugin(&self, name: &str) -> String {
        let section = format!("plugins/{name}");
        if self.lines.has(&section) {
            return self.at(&section);
        }
        let first = self.named().into_iter().find(|(_, used)| *used == name);
        self.at(&first.map_or(section, |(at, _)| at))
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
        let names = self.named().into_iter().map(|(_, name)| name);
        names.map(|n| (n, self.plugins.get(n).cloned().unwrap_or_default())).collect()
    }

    /// Every name of a plugin, and the path at which the file says it.
    fn named(&self) -> Vec<(String, &str)> {
        let mut named = vec![("storage/driver".to_owned(), self.storage.driver.as_str())];
        for (at, names) in [("storage/also", &self.storage.also), ("network/drivers", &self.network.drivers)] {
            named.extend(names.iter().enumerate().map(|(n, name)| (format!("{at}/{n}"), name.as_str())));
        }
        for (n, rule) in self.auth.iter().enumerate() {
            let key = |what| if what == "auth" { "plugin" } else { what };
            named.extend(rule.plugins().map(|(what, name)| (format!("auth/{n}/{}", key(what)), name.as_str())));
        }
        let chain = self.lifecycle.iter().enumerate();
        named.extend(chain.map(|(n, rule)| (format!("lifecycle/{n}/plugin"), rule.plugin.as_str())));
        named
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

    /// The file as it stands after its first newline, so that line numbers are those of the text.
    fn read(text: &str) -> Result<Site, EngineError> {
        Site::parse(Path::new("/etc/site.toml"), text)
    }

    #[test]
    fn a_file_says_which_plugins_are_used() {
        let site = read(GOOD).unwrap();
        assert_eq!(site.used().keys().copied().collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
        assert_eq!(site.used()["e"].source.as_deref(), Some("/x/e.wasm"));
    }

    #[test]
    fn mirrors_and_trust_may_be_other_plugins_than_the_login() {
        let site = read(&GOOD.replace("plugin = \"b\"", "plugin = \"b\"\nverifier = \"v\"")).unwrap();
        assert!(site.used().contains_key("v"));
        assert_eq!(site.uses("v"), ["verifier for *"]);
        assert_eq!(site.uses("b"), ["auth for *"]);
        assert_eq!([site.at_plugin("v"), site.at_plugin("e")], ["/etc/site.toml:7", "/etc/site.toml:15"]);
    }

    #[test]
    fn errors_name_line_and_reason() {
        let auth = |pattern: &str| format!("{GOOD}\n[[auth]]\npattern = \"{pattern}\"\nplugin = \"b\"\n");
        let again = format!("{GOOD}\n[[lifecycle]]\nplugin = \"e\"\nfail = \"open\"\n");
        let said = |from: &str, to: &str| GOOD.replace(from, to);
        for (text, line, says) in [
            (said("fail =", "fial ="), 13, "fial"),
            (said("fail = \"closed\"", ""), 11, "missing field `fail`"),
            (said("\"closed\"", "\"shut\""), 13, "shut"),
            (said("driver = \"a\"", "driver = a\""), 3, "quote"),
            (said("fail = \"closed\"", "fail = \"closed\"\nafter = [\"f\"]"), 14, "\"e\" is to come after \"f\""),
            (said("default = \"c\"", "default = \"z\""), 8, "\"z\" is not among its drivers"),
            (said("size = 24", "size = 8"), 10, "subnets of /8 do not fit"),
            (said("[network]", "[netwrok]"), 7, "netwrok"),
            (said("config =", "confg ="), 16, "confg"),
            (auth("*"), 19, "\"*\" is never asked: \"*\" stands before it (/etc/site.toml:5)"),
            (auth("a.example/*"), 19, "\"a.example/*\" is never asked"),
            (again, 19, "\"e\" stands in the chain already"),
        ] {
            let e = read(&text).unwrap_err();
            assert!(e.message().starts_with(&format!("/etc/site.toml:{line}: ")), "{line} {says}: {e}");
            assert!(e.message().contains(says), "{line} {says}: {e}");
        }
        assert!(Site::read(Path::new("/no/such.toml")).unwrap_err().message().contains("/no/such.toml"));
    }

    #[test]
    fn a_section_of_no_plugin_is_refused_with_the_name_that_was_meant() {
        let check = |section: &str, installed: &[&str]| {
            let text = GOOD.replace("\"e\"", "\"image-policy\"").replace("[plugins.e]", "[plugins.image-policy]");
            let site = read(&format!("{text}\n[plugins.{section}]\nk = 1\n")).unwrap();
            site.check_sections(&installed.iter().copied().collect())
        };
        for (section, says) in [
            (
                "image_policy.config",
                "[plugins.image_policy] is of no plugin that this file uses or that is installed; did you mean image-policy?",
            ),
            ("nobody.config", "name nobody where it is to be used, or take the section out"),
        ] {
            let e = check(section, &[]).unwrap_err();
            assert!(e.message().starts_with("/etc/site.toml:18: ") && e.message().contains(says), "{e}");
        }
        assert!(check("nobody.config", &["nobody"]).is_ok(), "an installed one waits to be used");
        assert!(check("a.config", &[]).is_ok());
    }
}
