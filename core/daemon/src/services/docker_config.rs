//! Credentials in the format of docker's `config.json`: `auths`, by server, with `auth` (base64 of `user:password`),
//! `identitytoken` or `registrytoken`. Credential helpers are programs and are not run.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use davit_model::{
    auth::{Credential, CredentialKind},
    secret::Secret,
};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// The credential for a server (`host[:port]`). The error never quotes the file.
pub(super) fn find(text: &str, server: &str) -> Result<Option<Credential>, String> {
    let config: Config = serde_json::from_str(text).map_err(|_| "it is not docker's config.json".to_owned())?;
    let wanted = canonical(server);
    let entry = config.auths.iter().find(|(key, _)| canonical(key) == wanted);
    let Some((_, entry)) = entry else { return Ok(None) };
    let credential = |kind, user: Option<&str>, secret: &str| Credential {
        server: server.to_owned(),
        user: user.map(str::to_owned),
        kind,
        secret: Secret::new(secret),
    };
    let filled = |text: &Option<String>| text.clone().filter(|t| !t.is_empty());
    if let Some(token) = filled(&entry.registrytoken) {
        return Ok(Some(credential(CredentialKind::RegistryToken, None, &token)));
    }
    if let Some(token) = filled(&entry.identitytoken) {
        return Ok(Some(credential(CredentialKind::IdentityToken, None, &token)));
    }
    let Some(auth) = filled(&entry.auth) else { return Ok(None) };
    let broken = || format!("its entry for {wanted} is not base64 of user:password");
    let pair = STANDARD.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(broken)?;
    let (user, password) = pair.split_once(':').ok_or_else(broken)?;
    Ok(Some(credential(CredentialKind::Password, Some(user), password.trim_end_matches('\0'))))
}

/// Without scheme and path; Docker Hub by one name.
fn canonical(key: &str) -> &str {
    let host = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    match host.split('/').next().unwrap_or(host) {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"auths":{
        "https://index.docker.io/v1/":{"auth":"YWRhOnA6dw=="},
        "reg.example:5000":{"identitytoken":"refresh"},
        "ready.example":{"registrytoken":"ready"},
        "broken.example":{"auth":"?"},
        "empty.example":{}},"credsStore":"pass"}"#;

    #[test]
    fn every_kind_of_entry_is_understood() {
        let hub = find(FILE, "docker.io").unwrap().unwrap();
        assert_eq!((hub.user.as_deref(), hub.secret.reveal()), (Some("ada"), "p:w"));
        assert_eq!(find(FILE, "reg.example:5000").unwrap().unwrap().kind, CredentialKind::IdentityToken);
        assert_eq!(find(FILE, "ready.example").unwrap().unwrap().kind, CredentialKind::RegistryToken);
        assert_eq!(find(FILE, "reg.example").unwrap(), None);
        assert_eq!(find(FILE, "empty.example").unwrap(), None);
    }

    #[test]
    fn a_broken_file_is_said_without_its_content() {
        assert!(find(FILE, "broken.example").unwrap_err().contains("broken.example"));
        assert!(!find("hunter2", "x").unwrap_err().contains("hunter2"));
    }
}
