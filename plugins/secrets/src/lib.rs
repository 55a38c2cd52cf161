//! Secrets of the site for the containers that the site says: files in memory, never environment, never layers.
//!
//!     [secrets]
//!     db-password = "/etc/davit/secrets/db-password"     # the file, readable by root alone
//!
//!     [[plugins.secrets.config.files]]
//!     secret = "db-password"
//!     at = "/run/secrets/db-password"      # absent: /run/secrets/NAME
//!     images = ["registry.example/db/*"]   # absent: whatever the image
//!     labels = { team = "db" }             # absent: whatever the labels; all of these must be there
//!     mode = "0440"                        # absent: 0400
//!     owner = [999, 999]                   # absent: root
//!
//! The plugin names secrets; it never sees them.

use davit_plugin_sdk::{
    host::config,
    lifecycle::{Adjustment, Error, Mutate, Operation, Result},
    pattern,
};
use serde::Deserialize;
use std::collections::BTreeMap;

struct Secrets;

/// The plugin's configuration.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Section {
    files: Vec<Given>,
}

/// One secret, and who gets it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    secret: String,
    at: Option<String>,
    images: Option<Vec<String>>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    mode: Option<String>,
    owner: Option<(u32, u32)>,
}

impl Given {
    fn is_for(&self, operation: &Operation) -> bool {
        let image = operation.image().unwrap_or_default();
        let labels: BTreeMap<String, String> = operation.labels().into_iter().collect();
        let fits = |patterns: &Vec<String>| pattern::first(patterns.iter().map(String::as_str), &image).is_some();
        self.images.as_ref().is_none_or(fits) && self.labels.iter().all(|(k, v)| labels.get(k) == Some(v))
    }

    fn mode(&self) -> Result<u32> {
        let Some(text) = &self.mode else { return Ok(0o400) };
        u32::from_str_radix(text, 8).map_err(|_| bad(&format!("mode {text:?} is not octal, such as \"0440\"")))
    }
}

fn bad(what: &str) -> Error {
    Error::Invalid(format!("the plugin's configuration: {what}"))
}

impl Mutate for Secrets {
    fn mutate(operation: &Operation, adjustment: &Adjustment) -> Result<()> {
        if operation.kind() != "container.create" {
            return Ok(());
        }
        let section: Section = serde_json::from_str(&config::section_json()?).map_err(|e| bad(&e.to_string()))?;
        for given in section.files.iter().filter(|given| given.is_for(operation)) {
            let at = given.at.clone().unwrap_or_else(|| format!("/run/secrets/{}", given.secret));
            adjustment.secret_file(&given.secret, &at, given.mode()?, given.owner)?;
        }
        Ok(())
    }
}

davit_plugin_sdk::export!(lifecycle: Secrets, mutate);
