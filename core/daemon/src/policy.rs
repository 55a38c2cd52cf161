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
    policy::{Hooked, LoadedPlugin, Pattern, Policy, PolicyLoader},
    site::{PluginSection, Site},
};
use davit_model::services::HostServices;
use davit_plugin_host::{CompilerProgram, Grant, HostOptions, Plugin, PluginHost, Source};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Loads what the site's file names.
#[derive(Debug)]
pub(crate) struct Loader {
    host: PluginHost,
    services: Arc<DaemonServices>,
    shipped: PathBuf,
}

impl Loader {
    /// `state` keeps what plugins remember.
    pub(crate) fn new(options: &Options, places: &Places, state: Arc<dyn PluginState>) -> Result<Self> {
        let services = Arc::new(DaemonServices::new(state)?);
        let mut host = HostOptions::new(options.data_root.join("plugins/compiled"), services.clone());
        host.compiler =
            Some(CompilerProgram { program: "/proc/self/exe".into(), arguments: vec![crate::compile::WORD.into()] });
        let host = PluginHost::new(host).context("setting up the plugin host")?;
        Ok(Self { host, services, shipped: places.plugins.clone() })
    }

    /// What a plugin of the site's file is: where it is, what it may, what it is told.
    fn found(&self, name: &str, section: &PluginSection) -> Result<Found, EngineError> {
        let path = self.path(name, section);
        let invalid = |e: String| EngineError::invalid(format!("plugin {name}: {e}"));
        if !path.exists() {
            return Err(invalid(format!(
                "there is no {}; build the shipped plugins with: cargo xtask build, or name a file with source = \"/…\"",
                path.display()
            )));
        }
        let grant = if section.grant.is_empty() {
            Grant::beside(&path).map_err(invalid)?.unwrap_or_default()
        } else {
            Grant::from_table(&section.grant).map_err(invalid)?
        };
        Ok(Found { settings: Settings::of(section.config.clone(), &grant), path, grant })
    }

    async fn load_one(
        &self,
        services: &Arc<dyn HostServices>,
        name: &str,
        found: &Found,
    ) -> Result<(Arc<Plugin>, LoadedPlugin), EngineError> {
        let plugin = self.host.load_with(services, name, Source::File(&found.path), &found.grant).await;
        let plugin = plugin.map_err(|e| EngineError::invalid(e.to_string()))?;
        let info = plugin.info();
        let loaded = LoadedPlugin {
            name: name.to_owned(),
            version: info.manifest.plugin.version.clone(),
            kinds: info.kinds.iter().map(|k| (*k).to_owned()).collect(),
            digest: info.digest.clone(),
            source: found.path.display().to_string(),
            grants: found.grant.rights.in_words(),
        };
        Ok((plugin, loaded))
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

/// A plugin's file with its grant and settings, not yet loaded.
struct Found {
    path: PathBuf,
    grant: Grant,
    settings: Settings,
}

fn wanted<T>(name: &str, kind: &str, port: Option<T>) -> Result<T, EngineError> {
    port.ok_or_else(|| {
        EngineError::invalid(format!("plugin {name} is not of kind {kind}, as the site's file wants it"))
    })
}

#[async_trait]
impl PolicyLoader for Loader {
    async fn load(&self, site: &Site) -> Result<Policy, EngineError> {
        let found = site.used().into_iter().map(|(name, section)| Ok((name, self.found(name, &section)?)));
        let found: BTreeMap<&str, Found> = found.collect::<Result<_, EngineError>>()?;
        let settings = found.iter().map(|(name, f)| ((*name).to_owned(), f.settings.clone())).collect();
        // Of this policy alone: a call in flight goes on with what its own policy was told.
        let services: Arc<dyn HostServices> = Arc::new(self.services.for_site(settings, &site.secrets));
        let mut loaded = BTreeMap::new();
        let mut policy = Policy {
            default_storage: site.storage.driver.clone(),
            default_network: site.network.default.clone(),
            network_section: site.network.clone(),
            ..Policy::default()
        };
        for (name, found) in &found {
            let (plugin, shown) = self.load_one(&services, name, found).await?;
            policy.plugins.push(shown);
            loaded.insert((*name).to_owned(), plugin);
        }
        let plugin = |name: &str| {
            loaded.get(name).cloned().ok_or_else(|| EngineError::invalid(format!("plugin {name} is not loaded")))
        };
        for name in std::iter::once(&site.storage.driver).chain(&site.storage.also) {
            policy.storage.insert(name.clone(), wanted(name, "storage", plugin(name)?.storage())?);
        }
        for rule in &site.auth {
            let port = wanted(&rule.plugin, "registry-auth", plugin(&rule.plugin)?.registry_auth())?;
            policy.auth.push((Pattern::new(rule.pattern.clone()), port));
        }
        for name in &site.network.drivers {
            policy.network.insert(name.clone(), wanted(name, "network", plugin(name)?.network())?);
        }
        for rule in &site.lifecycle {
            let port = wanted(&rule.plugin, "lifecycle", plugin(&rule.plugin)?.lifecycle())?;
            policy.lifecycle.push(Hooked { policy: port, fail: rule.fail });
        }
        Ok(policy)
    }
}
