//! What a site gives to every container that does not say otherwise: labels, environment, limits.
//!
//!     [plugins.site-defaults.config]
//!     labels = { team = "web" }
//!     env = { TZ = "UTC" }
//!     limits = { memory = "512MiB", cpus = 1.5, pids = 512 }
//!
//! What a request says itself is left alone.

use davit_plugin_sdk::{
    host::{check_settings, config},
    lifecycle::{Adjustment, Error, Mutate, Operation, Result},
    size,
};
use serde_json::{Map, Value, json};

struct SiteDefaults;

/// A name as one segment of a JSON pointer (RFC 6901).
fn segment(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn bad(what: &str) -> Error {
    Error::Invalid(format!("the plugin's configuration: {what}"))
}

fn table(section: &Value, key: &str) -> Result<Map<String, Value>> {
    match section.get(key) {
        None => Ok(Map::new()),
        Some(Value::Object(table)) => Ok(table.clone()),
        Some(_) => Err(bad(&format!("{key} is a table"))),
    }
}

fn bytes(text: &str) -> Result<u64> {
    size::bytes(text).ok_or_else(|| bad(&format!("memory {text:?} is not a size such as 512MiB")))
}

/// A limit of the configuration as a member of the request's limits.
fn limit(key: &str, value: &Value) -> Result<(&'static str, Value)> {
    match (key, value) {
        ("memory", Value::String(text)) => Ok(("memory", json!(bytes(text)?))),
        ("memory", Value::Number(_)) => Ok(("memory", value.clone())),
        ("cpus", Value::Number(cpus)) => {
            let cpus =
                cpus.as_f64().filter(|c| (0.01..=4096.0).contains(c)).ok_or_else(|| bad("cpus is 0.01 to 4096"))?;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 4096 billion")]
            let nano = (cpus * 1e9) as u64;
            Ok(("nano_cpus", json!(nano)))
        }
        ("pids", Value::Number(_)) => Ok(("pids", value.clone())),
        _ => Err(bad(&format!("limits.{key} is none of memory, cpus and pids, or not a number"))),
    }
}

fn is_said(operation: &Operation, path: &str) -> bool {
    operation.field(path).is_some_and(|json| json != "null")
}

impl Mutate for SiteDefaults {
    fn mutate(operation: &Operation, adjustment: &Adjustment) -> Result<()> {
        if operation.kind() != "container.create" {
            return Ok(());
        }
        check_settings(&["labels", "env", "limits"])?;
        let section: Value = serde_json::from_str(&config::section_json()?).map_err(|e| bad(&e.to_string()))?;
        for kind in ["labels", "env"] {
            for (name, value) in table(&section, kind)? {
                let path = format!("/{kind}/{}", segment(&name));
                let text = value.as_str().ok_or_else(|| bad(&format!("{kind}.{name} is a text")))?;
                if operation.field(&path).is_none() {
                    adjustment.set(&path, &json!(text).to_string())?;
                }
            }
        }
        for (key, value) in table(&section, "limits")? {
            let (member, value) = limit(&key, &value)?;
            let path = format!("/limits/{member}");
            if !is_said(operation, &path) {
                adjustment.set(&path, &value.to_string())?;
            }
        }
        Ok(())
    }
}

davit_plugin_sdk::export!(lifecycle: SiteDefaults, mutate);
