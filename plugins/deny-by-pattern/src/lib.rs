//! Registry authentication that refuses: repositories by pattern, for some or all actions. What it does not refuse is
//! answered anonymously; put it in front of another plugin for registries that want a login.
//!
//!     [plugins.deny-by-pattern.config]
//!     deny = ["registry.example/private/*", "docker.io/*"]
//!     actions = ["push", "delete"]        # absent: all
//!     reason = "use the mirror at registry.example"

use davit_plugin_sdk::{
    auth::{Answer, Challenge, Error, RegistryAuth, Result},
    host::{check_settings, config},
    pattern,
};

struct DenyByPattern;

fn list(key: &str) -> Result<Option<Vec<String>>> {
    let Some(text) = config::get(key)? else { return Ok(None) };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|_| Error::Invalid(format!("{key} in the plugin's configuration is a list of texts")))
}

impl RegistryAuth for DenyByPattern {
    fn authenticate(challenge: &Challenge, answer: &Answer) -> Result<()> {
        check_settings(&["deny", "actions", "reason"])?;
        let registry = challenge.registry();
        let name = match challenge.repository() {
            Some(repository) => format!("{registry}/{repository}"),
            None => registry.clone(),
        };
        let denied = list("deny")?.unwrap_or_default();
        let actions = list("actions")?;
        let asked = challenge.actions();
        let concerned = actions.is_none_or(|some| asked.iter().any(|action| some.contains(action)));
        if let Some(pattern) = denied.iter().find(|p| concerned && pattern::matches(p, &name)) {
            let reason = config::get("reason")?.map(|r| format!(": {r}")).unwrap_or_default();
            return Err(Error::Denied(format!("{name} is refused by the pattern {pattern}{reason}")));
        }
        if challenge.scheme() != "none" {
            return Err(Error::Denied(format!("{registry} wants a login, and this plugin has none")));
        }
        answer.anonymous();
        Ok(())
    }
}

davit_plugin_sdk::export!(registry_auth: DenyByPattern);
