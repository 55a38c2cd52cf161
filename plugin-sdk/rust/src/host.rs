//! What every plugin may ask of the engine.

use crate::{Error, Result};
use serde_json::{Map, Value};
use std::fmt;

pub use crate::imported::{clock, config, http, secrets, state};

/// Lines for the plugin's own log.
pub mod log {
    pub use crate::imported::log::{Level, write};
}

/// Writes a line for the operator.
pub fn info(message: impl fmt::Display) {
    log::write(log::Level::Info, &message.to_string());
}

/// Writes a line about something to look at.
pub fn warn(message: impl fmt::Display) {
    log::write(log::Level::Warn, &message.to_string());
}

/// Refuses a section of the site's file that says anything but these: what is misspelt would be a policy that its author
/// believes in and nobody enforces. For a plugin that reads its section by `serde`, `deny_unknown_fields` does the same.
///
/// # Errors
/// [`Error::Invalid`] with the key and those that there are; and what the host answers.
pub fn check_settings(known: &[&str]) -> Result<()> {
    let section = config::section_json()?;
    if section == "{}" {
        return Ok(());
    }
    let wrong = |what: String| Error::Invalid(format!("the plugin's configuration: {what}"));
    let section: Map<String, Value> = serde_json::from_str(&section).map_err(|e| wrong(e.to_string()))?;
    let Some(key) = section.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
    let there = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(wrong(format!("unknown key {key:?} (there are: {there})")))
}

/// One value of the plugin's section of the site's file, or a default.
///
/// # Errors
/// What the host answers.
pub fn setting_or(key: &str, default: &str) -> Result<String> {
    Ok(config::get(key)?.unwrap_or_else(|| default.to_owned()))
}
