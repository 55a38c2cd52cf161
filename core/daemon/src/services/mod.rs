//! What this daemon does for plugins: fills the port `HostServices`. It decides nothing about rights; the plugin host
//! has checked those before it asks here.
//!
//! `web` speaks HTTP, `secret_file` and `docker_config` read what the site's file names, `plugin_log` keeps what plugins say;
//! state is the engine's.

mod docker_config;
mod plugin_log;
mod secret_file;
mod web;

use async_trait::async_trait;
use davit_engine::PluginState;
use davit_model::{
    auth::Credential,
    error::PolicyError,
    secret::Secret,
    services::{HostServices, HttpRequest, HttpResponse, LogLevel},
    state::StateWrites,
};
use davit_plugin_host::Grant;
pub(crate) use plugin_log::PluginLogs;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use web::Web;

/// What the site's file says about one plugin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    config: serde_json::Value,
    credential_file: Option<PathBuf>,
}

impl Settings {
    /// What a plugin's section says.
    pub(crate) fn of(config: toml::Table, grant: &Grant) -> Self {
        let config = serde_json::to_value(config).unwrap_or_default();
        Self { config, credential_file: grant.credential_file.clone() }
    }
}

/// The daemon's services, for the plugins of one reading of the site's file. What they know never changes: another
/// reading makes others, and a call in flight keeps those that it began with.
#[derive(Debug)]
pub(crate) struct DaemonServices {
    plugins: BTreeMap<String, Settings>,
    secrets: BTreeMap<String, PathBuf>,
    state: Arc<dyn PluginState>,
    web: Arc<Web>,
    logs: Arc<PluginLogs>,
}

impl DaemonServices {
    /// Services over this state, knowing nothing of a site yet.
    pub(crate) fn new(state: Arc<dyn PluginState>) -> Result<Self, PolicyError> {
        let (plugins, secrets, logs) = (BTreeMap::new(), BTreeMap::new(), Arc::default());
        Ok(Self { plugins, secrets, state, web: Arc::new(Web::new()?), logs })
    }

    /// The same services, knowing what a site's file says.
    pub(crate) fn for_site(&self, plugins: BTreeMap<String, Settings>, secrets: &BTreeMap<String, String>) -> Self {
        let secrets = secrets.iter().map(|(name, file)| (name.clone(), PathBuf::from(file))).collect();
        let (state, web, logs) = (self.state.clone(), self.web.clone(), self.logs.clone());
        Self { plugins, secrets, state, web, logs }
    }

    /// What plugins said.
    pub(crate) fn logs(&self) -> &PluginLogs {
        &self.logs
    }

    fn settings(&self, plugin: &str) -> Settings {
        self.plugins.get(plugin).cloned().unwrap_or_default()
    }
}

#[async_trait]
impl HostServices for DaemonServices {
    fn log(&self, plugin: &str, level: LogLevel, message: &str) {
        self.logs.add(plugin, level, message);
        match level {
            LogLevel::Trace => tracing::trace!(target: "plugin", plugin, "{message}"),
            LogLevel::Debug => tracing::debug!(target: "plugin", plugin, "{message}"),
            LogLevel::Info => tracing::info!(target: "plugin", plugin, "{message}"),
            LogLevel::Warn => tracing::warn!(target: "plugin", plugin, "{message}"),
            LogLevel::Error => tracing::error!(target: "plugin", plugin, "{message}"),
        }
    }

    async fn config(&self, plugin: &str) -> Result<serde_json::Value, PolicyError> {
        let config = self.settings(plugin).config;
        Ok(if config.is_null() { serde_json::json!({}) } else { config })
    }

    async fn state_get(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, PolicyError> {
        self.state.get(plugin, key).await
    }

    async fn state_commit(&self, writes: &StateWrites) -> Result<(), PolicyError> {
        self.state.commit(writes).await
    }

    async fn state_keys(&self, plugin: &str, prefix: &str) -> Result<Vec<String>, PolicyError> {
        self.state.keys(plugin, prefix).await
    }

    async fn secret(&self, _: &str, name: &str) -> Result<Secret, PolicyError> {
        let path = self.secrets.get(name);
        let path = path.ok_or_else(|| PolicyError::NotFound(format!("[secrets] names no {name:?}")))?;
        let text = secret_file::read(path).await?;
        Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
    }

    async fn stored_credential(&self, plugin: &str, server: &str) -> Result<Option<Credential>, PolicyError> {
        let Some(path) = self.settings(plugin).credential_file else { return Ok(None) };
        docker_config::find(&secret_file::read(&path).await?, server).map_err(|reason| PolicyError::Unavailable {
            retry_ms: 0,
            message: format!("{}: {reason}", path.display()),
        })
    }

    async fn http(&self, _: &str, request: HttpRequest) -> Result<HttpResponse, PolicyError> {
        self.web.send(request).await
    }

    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
