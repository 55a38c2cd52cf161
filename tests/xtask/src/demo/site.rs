//! The site's file of the demo, in its two forms, and the plugin that the site wrote for itself.

use crate::{plugins, workspace};
use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// A line of the file, in its two forms.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) before: &'static str,
    pub(super) after: &'static str,
}

const STORAGE: Change = Change { before: "driver = \"overlay\"", after: "driver = \"vfs\"" };
const AUTH: Change = Change { before: "plugin = \"docker-config\"", after: "plugin = \"site-login\"" };

/// What the demo changes.
pub(super) const CHANGES: [Change; 2] = [STORAGE, AUTH];

/// What the lifecycle plugin gives to every container.
pub(super) const LABEL: (&str, &str) = ("org.example.owner", "web team");
pub(super) const NOTE: (&str, &str) = ("SITE_NOTE", ", as the site wants it");

/// The file.
#[derive(Debug)]
pub(super) struct SiteFile {
    text: String,
    storage: &'static str,
    auth: &'static str,
}

impl SiteFile {
    /// Its first form. The site's own plugin is there already, for a registry that the demo does not ask.
    pub(super) fn new(own_plugin: &Path, credentials: &Path) -> Result<Self> {
        let component = fs::read(own_plugin).with_context(|| format!("cannot read {}", own_plugin.display()))?;
        let digest: String = Sha256::digest(&component).iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!(
            r#"[storage]
{storage}

[[auth]]
pattern = "site.example"
plugin = "site-login"

[[auth]]
pattern = "*"
{auth}

[network]
default = "bridge"
drivers = ["bridge", "host", "none"]
pool = [{{ base = "172.30.0.0/16", size = 24 }}]

[[lifecycle]]
plugin = "site-defaults"
fail = "closed"

[plugins.site-defaults.config]
labels = {{ "{label}" = "{owner}" }}
env = {{ {name} = "{note}" }}

[plugins.site-login]
source = "{source}"

[plugins.site-login.grant]
digest = "sha256:{digest}"
credentials = true
credential-file = "{credentials}"
credential-callers = ["uid:0"]
"#,
            storage = STORAGE.before,
            auth = AUTH.before,
            label = LABEL.0,
            owner = LABEL.1,
            name = NOTE.0,
            note = NOTE.1,
            source = own_plugin.display(),
            credentials = credentials.display(),
        );
        Ok(Self { text, storage: "overlay", auth: "docker-config" })
    }

    /// Its second form.
    pub(super) fn changed(&self) -> Self {
        let text = CHANGES.iter().fold(self.text.clone(), |text, change| text.replacen(change.before, change.after, 1));
        Self { text, storage: "vfs", auth: "site-login" }
    }

    pub(super) fn text(&self) -> String {
        self.text.clone()
    }

    /// The storage driver that it names.
    pub(super) fn storage(&self) -> &str {
        self.storage
    }

    /// The plugins on the way of a container, for people.
    pub(super) fn plugins(&self) -> String {
        format!("storage {}, auth {}, network bridge, lifecycle site-defaults", self.storage, self.auth)
    }
}

/// Compiles `tests/fixtures/plugins/site-login`.
pub(crate) fn build_own_plugin() -> Result<PathBuf> {
    let sources = plugins::sources(&workspace::root()?.join("tests/fixtures/plugins"))?;
    let compiled = plugins::compile(&sources)?;
    let (_, component) = compiled.iter().find(|(source, _)| source.name == "site-login").context("no site-login")?;
    let path = workspace::target_dir()?.join("plugins/site/site-login.wasm");
    workspace::write_if_changed(&path, component)?;
    Ok(path)
}

/// A credential file as docker keeps it, readable by root alone.
pub(super) fn write_credentials(path: &Path, registry: &str, user: &str, password: &str) -> Result<()> {
    let auth = STANDARD.encode(format!("{user}:{password}"));
    let auths = serde_json::json!({ "auths": { registry: { "auth": auth } } });
    fs::write(path, serde_json::to_vec(&auths)?).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_change_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let component = dir.path().join("site-login.wasm");
        fs::write(&component, "bytes").unwrap();
        let before = SiteFile::new(&component, &dir.path().join("credentials.json")).unwrap();
        let after = before.changed();
        let (before, after) = (before.text(), after.text());
        let different: Vec<_> = before.lines().zip(after.lines()).filter(|(b, a)| b != a).collect();
        assert_eq!(before.lines().count(), after.lines().count());
        assert_eq!(different, CHANGES.map(|c| (c.before, c.after)));
    }
}
