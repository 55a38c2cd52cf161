//! From the site's file to the engine's ports: each plugin that the file names is loaded with its grant and put where
//! the file wants it. Everything is loaded and probed before anything is taken over.

use crate::{
    options::Options,
    places::Places,
    services::{DaemonServices, Settings},
};
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use davit_engine::{
    EngineError, PluginState,
    policy::{
        AskedRight, AuthRule, Calls, Hooked, Inspected, Installed, LoadedPlugin, LogLine, Pattern, Policy, PolicyLoader,
    },
    site::{PluginSection, Site},
};
use davit_model::{secret::Secret, services::HostServices};
use davit_plugin_host::{
    Counter, Grant, LoadError, Source,
    apart::{ApartHost, Remote},
    coverage,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::broadcast;

/// Loads what the site's file names.
#[derive(Debug)]
pub(crate) struct Loader {
    host: ApartHost,
    services: Arc<DaemonServices>,
    shipped: PathBuf,
    /// By the names of the site's file, since the daemon started.
    counters: Mutex<BTreeMap<String, Counter>>,
}

impl Loader {
    /// `state` keeps what plugins remember.
    pub(crate) fn new(options: &Options, places: &Places, state: Arc<dyn PluginState>) -> Result<Self> {
        let services = Arc::new(DaemonServices::new(state)?);
        let host = ApartHost::new(&options.data_root.join("plugins/compiled"), crate::role::programs());
        let host = host.context("setting up the plugin host")?;
        Ok(Self { host, services, shipped: places.plugins.clone(), counters: Mutex::default() })
    }

    /// What a plugin of the site's file is: its component, what it may, what it is told.
    fn found(&self, name: &str, section: &PluginSection, installed: Option<Installed>) -> Result<Found, EngineError> {
        let invalid = |e: String| EngineError::invalid(format!("plugin {name}: {e}"));
        // A source in the site's file is the site's last word; then what was installed; then what is shipped.
        let found = match installed.filter(|_| section.source.is_none()) {
            Some(plugin) if !plugin.enabled => {
                return Err(invalid(format!("it is disabled; enable it with: davit plugin enable {name}")));
            }
            // Two who grant would be one who cannot revoke; and what is granted by name is granted to every upgrade.
            Some(_) if !section.grant.is_empty() => {
                return Err(invalid(format!(
                    "it was installed, and what it may do is said with: davit plugin grant {name} RIGHT; take \
                     [plugins.{name}.grant] out of the site's file"
                )));
            }
            Some(plugin) => Found {
                grant: granted(&plugin).map_err(invalid)?,
                source: plugin.source,
                component: Component::Blob(plugin.digest.to_string(), plugin.component),
            },
            None => {
                let path = self.path(name, section);
                if !path.exists() {
                    return Err(invalid(format!(
                        "there is no {}; install one with: davit plugin install FILE|REF, name a file with source = \
                         \"/…\", or build the shipped plugins with: cargo xtask build",
                        path.display()
                    )));
                }
                Found {
                    grant: Grant::beside(&path).map_err(invalid)?.unwrap_or_default(),
                    source: path.display().to_string(),
                    component: Component::File(path),
                }
            }
        };
        if section.grant.is_empty() {
            return Ok(found);
        }
        let mut grant = Grant::from_table(&section.grant).map_err(invalid)?;
        if section.source.as_deref().is_none_or(|source| !source.contains('/')) {
            // The bytes that came with the engine or were installed are known; the site says what they may do.
            grant.digest = grant.digest.or_else(|| found.grant.digest.clone());
        }
        Ok(Found { grant, ..found })
    }

    async fn load_one(
        &self,
        services: &Arc<dyn HostServices>,
        name: &str,
        found: &Found,
    ) -> Result<(Arc<Remote>, LoadedPlugin), EngineError> {
        let source = match &found.component {
            Component::File(path) => Source::File(path),
            Component::Blob(digest, bytes) => Source::Blob { digest, bytes },
        };
        let counter = self.counter(name);
        let plugin = self.host.load(services, &counter, name, source, &found.grant).await;
        let plugin = plugin.map_err(|e| EngineError::invalid(e.to_string()))?;
        plugin.wake().await?;
        let info = plugin.info();
        let loaded = LoadedPlugin {
            name: name.to_owned(),
            version: info.manifest.plugin.version.clone(),
            kinds: info.kinds.iter().map(|k| (*k).to_owned()).collect(),
            digest: info.digest.clone(),
            source: found.source.clone(),
            asks: asked(&plugin),
            grants: found.grant.in_words(),
        };
        Ok((plugin, loaded))
    }

    /// A plugin that is looked at, for no policy.
    async fn alone(&self, name: &str, component: &[u8], grant: &Grant) -> Result<Arc<Remote>, LoadError> {
        let services: Arc<dyn HostServices> = self.services.clone();
        self.host.load(&services, &Counter::default(), name, Source::Bytes(component), grant).await
    }

    fn counter(&self, name: &str) -> Counter {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default().clone()
    }

    /// A path as it stands; a bare name means a shipped component.
    fn path(&self, name: &str, section: &PluginSection) -> PathBuf {
        match section.source.as_deref() {
            Some(source) if source.contains('/') => Path::new(source).to_owned(),
            Some(source) => self.shipped.join(format!("{source}.wasm")),
            None => self.shipped.join(format!("{name}.wasm")),
        }
    }
}

/// A plugin with its grant, not yet loaded.
struct Found {
    component: Component,
    source: String,
    grant: Grant,
}

enum Component {
    File(PathBuf),
    Blob(String, Vec<u8>),
}

fn granted(plugin: &Installed) -> Result<Grant, String> {
    Grant::from_words(&plugin.digest.to_string(), plugin.granted.iter().map(String::as_str))
}

fn asked(plugin: &Remote) -> Vec<AskedRight> {
    let explained = plugin.info().manifest.explained().into_iter();
    explained.map(|e| AskedRight { right: e.right, means: e.means, why: e.why }).collect()
}

fn wanted<T>(at: &str, name: &str, kind: &str, port: Option<T>) -> Result<T, EngineError> {
    port.ok_or_else(|| {
        EngineError::invalid(format!("{at}: plugin {name} is not of kind {kind}, as the site's file wants it"))
    })
}

/// Whether a plugin has the optional interface of registry-auth that the site's file wants of it.
fn exporting(at: &str, name: &str, interface: &str, plugin: &Remote) -> Result<(), EngineError> {
    let whole = format!("davit:registry-auth/{interface}");
    if plugin.info().exports(&whole) {
        return Ok(());
    }
    Err(EngineError::invalid(format!("{at}: plugin {name} does not export {whole}, as [[auth]] {interface} wants it")))
}

#[async_trait]
impl PolicyLoader for Loader {
    async fn load(&self, site: &Arc<Site>, installed: Vec<Installed>) -> Result<Policy, EngineError> {
        let mut installed: BTreeMap<String, Installed> = installed.into_iter().map(|i| (i.name.clone(), i)).collect();
        let (mut found, mut settings) = (BTreeMap::new(), BTreeMap::new());
        for (name, section) in site.used() {
            let one = self.found(name, &section, installed.remove(name));
            let one = one.map_err(|e| e.context(&site.at_plugin(name)))?;
            settings.insert(name.to_owned(), Settings::of(section.config, &one.grant));
            found.insert(name, one);
        }
        // Of this policy alone: a call in flight goes on with what its own policy was told.
        let services: Arc<dyn HostServices> = Arc::new(self.services.for_site(settings, &site.secrets));
        let mut loaded = BTreeMap::new();
        let mut policy = Policy {
            default_storage: site.storage.driver.clone(),
            default_network: site.network.default.clone(),
            network_section: site.network.clone(),
            site: site.clone(),
            ..Policy::default()
        };
        for (name, found) in &found {
            let one = self.load_one(&services, name, found).await;
            let (plugin, shown) = one.map_err(|e| e.context(&site.at_plugin(name)))?;
            policy.plugins.push(shown);
            loaded.insert((*name).to_owned(), plugin);
        }
        let plugin = |name: &str| {
            loaded.get(name).cloned().ok_or_else(|| EngineError::invalid(format!("plugin {name} is not loaded")))
        };
        let also = site.storage.also.iter().enumerate().map(|(n, name)| (format!("storage/also/{n}"), name));
        for (at, name) in std::iter::once(("storage/driver".to_owned(), &site.storage.driver)).chain(also) {
            policy.storage.insert(name.clone(), wanted(&site.at(&at), name, "storage", plugin(name)?.storage())?);
        }
        for (n, rule) in site.auth.iter().enumerate() {
            let at = |key: &str| site.at(&format!("auth/{n}/{key}"));
            let port = |key: &str, name: &str| wanted(&at(key), name, "registry-auth", plugin(name)?.registry_auth());
            let own = port("plugin", &rule.plugin)?;
            let other = |name: &Option<String>, interface: &str| match name {
                None => Ok(own.clone()),
                // Without the export everything would be trusted, or served by the registry alone.
                Some(name) => {
                    exporting(&at(interface), name, interface, &*plugin(name)?).and_then(|()| port(interface, name))
                }
            };
            let (resolver, verifier) = (other(&rule.resolver, "resolver")?, other(&rule.verifier, "verifier")?);
            let rule_port = Arc::new(AuthRule { authenticator: own.clone(), resolver, verifier });
            policy.auth.push((Pattern::new(rule.pattern.clone()), rule_port));
        }
        for (n, name) in site.network.drivers.iter().enumerate() {
            let at = site.at(&format!("network/drivers/{n}"));
            policy.network.insert(name.clone(), wanted(&at, name, "network", plugin(name)?.network())?);
        }
        for (n, rule) in site.lifecycle.iter().enumerate() {
            let at = site.at(&format!("lifecycle/{n}/plugin"));
            let port = wanted(&at, &rule.plugin, "lifecycle", plugin(&rule.plugin)?.lifecycle())?;
            policy.lifecycle.push(Hooked { policy: port, fail: rule.fail, after: rule.after.clone() });
        }
        Ok(policy)
    }

    async fn inspect(&self, component: &[u8]) -> Result<Inspected, EngineError> {
        let plugin = self.alone("component", component, &Grant::default()).await;
        let plugin = plugin.map_err(|e| EngineError::invalid(e.to_string()))?;
        plugin.wake().await?;
        let info = plugin.info();
        Ok(Inspected {
            name: info.manifest.plugin.name.clone(),
            version: info.manifest.plugin.version.clone(),
            kinds: info.kinds.iter().map(|k| (*k).to_owned()).collect(),
            exports: info.exports.clone(),
            imports: info.imports.clone(),
            asks: asked(&plugin),
        })
    }

    async fn probe(&self, plugin: &Installed) -> Result<(), EngineError> {
        let grant = granted(plugin).map_err(|e| EngineError::invalid(format!("plugin {}: {e}", plugin.name)))?;
        let loaded = self.alone(&plugin.name, &plugin.component, &grant).await;
        loaded.map_err(|e| EngineError::invalid(e.to_string()))?.wake().await?;
        Ok(())
    }

    fn grant_in_words(&self, table: &toml::Table) -> Result<(BTreeSet<String>, Option<String>), EngineError> {
        let grant = Grant::from_table(table).map_err(|e| EngineError::invalid(format!("the grant: {e}")))?;
        Ok((grant.in_words().into_iter().collect(), grant.digest))
    }

    fn common(&self, asks: &BTreeSet<String>, grant: &BTreeSet<String>) -> Result<BTreeSet<String>, EngineError> {
        coverage::common(asks, grant).map_err(EngineError::invalid)
    }

    fn beyond(
        &self,
        asks: &BTreeSet<String>,
        before: &BTreeSet<String>,
        grant: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, EngineError> {
        coverage::beyond(asks, before, grant).map_err(EngineError::invalid)
    }

    fn without(&self, grant: &BTreeSet<String>, revoked: &BTreeSet<String>) -> Result<BTreeSet<String>, EngineError> {
        coverage::without(grant, revoked).map_err(EngineError::invalid)
    }

    async fn secret(&self, site: &Site, name: &str) -> Result<Secret, EngineError> {
        let services = self.services.for_site(BTreeMap::new(), &site.secrets);
        services.secret(name, name).await.map_err(|e| EngineError::invalid(format!("secret {name}: {e}")))
    }

    fn calls(&self, name: &str) -> Calls {
        let counted = self.counter(name).read();
        Calls {
            answered: counted.answered,
            refused: counted.refused,
            failed: counted.trapped,
            total: counted.total,
            longest: counted.longest,
        }
    }

    fn log(&self, name: &str) -> (Vec<LogLine>, broadcast::Receiver<LogLine>) {
        self.services.logs().of(name)
    }
}
