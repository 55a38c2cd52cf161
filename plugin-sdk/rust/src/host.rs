//! What every plugin may ask of the engine.

use crate::Result;
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

/// One value of the plugin's section of the site's file, or a default.
///
/// # Errors
/// What the host answers.
pub fn setting_or(key: &str, default: &str) -> Result<String> {
    Ok(config::get(key)?.unwrap_or_else(|| default.to_owned()))
}
