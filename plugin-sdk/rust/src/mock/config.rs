//! The plugin's own section of the site's file, as [`super::Site::config`] set it.

use super::{site::around, types::Error};
use serde_json::Value;

/// One value by its key, dots for tables; a string as it is, everything else as JSON.
///
/// # Errors
/// None, here.
pub fn get(key: &str) -> Result<Option<String>, Error> {
    Ok(around(|site| {
        let found = key.split('.').try_fold(&site.section, |value, part| value.get(part));
        found.map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }))
}

/// The whole section as a JSON object.
///
/// # Errors
/// None, here.
pub fn section_json() -> Result<String, Error> {
    Ok(around(|site| if site.section.is_null() { "{}".to_owned() } else { site.section.to_string() }))
}
