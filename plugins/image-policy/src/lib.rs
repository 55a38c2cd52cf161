//! Which images may be used here: by pattern of their reference, and whether a digest must pin them.
//!
//!     [plugins.image-policy.config]
//!     allow = ["registry.example/*"]          # absent: everything that is not denied
//!     deny = ["*:latest"]
//!     pinned = ["registry.example/prod/*"]    # these only as NAME@sha256:…
//!
//! `deny` wins over `allow`. Asked at `image.pull` and `container.create`; everything else is permitted.

use davit_plugin_sdk::{
    host::{check_settings, config},
    lifecycle::{Admit, Error, Operation, Result},
    pattern,
};

struct ImagePolicy;

fn patterns(key: &str) -> Result<Option<Vec<String>>> {
    let Some(text) = config::get(key)? else { return Ok(None) };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|_| Error::Invalid(format!("{key} in the plugin's configuration is a list of patterns")))
}

fn first_match(list: &[String], image: &str) -> Option<String> {
    pattern::first(list.iter().map(String::as_str), image).map(str::to_owned)
}

impl Admit for ImagePolicy {
    fn admit(operation: &Operation) -> Result<()> {
        if !matches!(operation.kind().as_str(), "image.pull" | "container.create") {
            return Ok(());
        }
        check_settings(&["allow", "deny", "pinned"])?;
        let Some(image) = operation.image() else { return Ok(()) };
        if let Some(pattern) = first_match(&patterns("deny")?.unwrap_or_default(), &image) {
            return Err(Error::Denied(format!("image {image} is refused by the pattern {pattern}")));
        }
        if let Some(allowed) = patterns("allow")?
            && first_match(&allowed, &image).is_none()
        {
            return Err(Error::Denied(format!("image {image} is none of {}", allowed.join(", "))));
        }
        if let Some(pattern) = first_match(&patterns("pinned")?.unwrap_or_default(), &image)
            && !image.contains("@sha256:")
        {
            let hint = operation.image_digest().map(|d| format!("; it is {d} now")).unwrap_or_default();
            return Err(Error::Denied(format!("image {image} must be pinned by a digest (pattern {pattern}){hint}")));
        }
        Ok(())
    }
}

davit_plugin_sdk::export!(lifecycle: ImagePolicy, admit);
