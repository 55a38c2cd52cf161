//! Registry credentials of the user: `config.json` in our own directory, in Docker's format, readable by its owner
//! alone. Where we have none, Docker's own file and its credential helpers are asked.

use crate::{
    error::{Error, Result},
    reference::HUB,
};
use davit_api_types::auth::{self, RegistryAuth};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const FILE: &str = "config.json";

/// The name of a registry in a credential file.
fn key(registry: &str) -> &str {
    let name = registry.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    match name {
        HUB | "index.docker.io" | "registry-1.docker.io" | "index.docker.io/v1" => auth::HUB,
        _ => name,
    }
}

/// The credential for a registry; anonymous where there is none.
pub(crate) fn find(home: &Path, registry: &str) -> Result<RegistryAuth> {
    for dir in [Some(home.to_owned()), docker_config()].into_iter().flatten() {
        let file = read(&dir.join(FILE))?;
        if let Some(found) = in_file(&file, key(registry))? {
            return Ok(found);
        }
    }
    Ok(RegistryAuth { serveraddress: key(registry).to_owned(), ..RegistryAuth::default() })
}

/// All credentials that the user has, by registry: a build may need any of them for its bases.
pub(crate) fn all(home: &Path) -> Result<BTreeMap<String, RegistryAuth>> {
    let mut all = BTreeMap::new();
    for dir in [Some(home.to_owned()), docker_config()].into_iter().flatten() {
        let file = read(&dir.join(FILE))?;
        let named = ["/auths", "/credHelpers"].into_iter().filter_map(|p| file.pointer(p)?.as_object());
        for registry in named.flat_map(Map::keys) {
            if let (false, Some(found)) = (all.contains_key(registry), in_file(&file, registry)?) {
                all.insert(registry.clone(), found);
            }
        }
    }
    Ok(all)
}

fn docker_config() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker"));
    std::env::var_os("DOCKER_CONFIG").map(PathBuf::from).or_else(home)
}

fn in_file(file: &Value, key: &str) -> Result<Option<RegistryAuth>> {
    let helper = file.pointer("/credHelpers").and_then(|h| h.get(key)).or_else(|| file.get("credsStore"));
    if let Some(helper) = helper.and_then(Value::as_str)
        && let Some(found) = ask_helper(helper, key)
    {
        return Ok(Some(found));
    }
    let Some(entry) = file.pointer("/auths").and_then(|a| a.get(key)) else { return Ok(None) };
    let entry: RegistryAuth =
        serde_json::from_value(entry.clone()).map_err(|e| Error::Failed(format!("credential for {key}: {e}")))?;
    let entry = entry.with_pair_unpacked().map_err(|e| Error::Failed(format!("credential for {key}: {e}")))?;
    if entry.is_anonymous() {
        return Ok(None);
    }
    Ok(Some(RegistryAuth { serveraddress: key.to_owned(), ..entry }))
}

/// `docker-credential-<name> get`: the server's name in, user and secret out. No answer is no credential.
fn ask_helper(name: &str, key: &str) -> Option<RegistryAuth> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return None;
    }
    let mut child = Command::new(format!("docker-credential-{name}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(key.as_bytes()).ok()?;
    let output = child.wait_with_output().ok().filter(|o| o.status.success())?;
    let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
    let (user, secret) = (answer.get("Username")?.as_str()?, answer.get("Secret")?.as_str()?);
    let mut found = RegistryAuth { serveraddress: key.to_owned(), ..RegistryAuth::default() };
    // Helpers say so when the secret is a refresh token.
    if user == "<token>" {
        found.identitytoken = secret.to_owned();
    } else {
        found.username = user.to_owned();
        found.password = secret.to_owned();
    }
    Some(found)
}

/// Stores a credential; the directory is made where it is missing.
pub(crate) fn store(home: &Path, credential: &RegistryAuth) -> Result<PathBuf> {
    let entry = if credential.identitytoken.is_empty() {
        json!({ "auth": credential.pair() })
    } else {
        json!({ "auth": credential.pair(), "identitytoken": credential.identitytoken })
    };
    change(home, |auths| {
        auths.insert(key(&credential.serveraddress).to_owned(), entry);
    })
}

/// Forgets a credential; whether there was one.
pub(crate) fn forget(home: &Path, registry: &str) -> Result<bool> {
    let mut had = false;
    change(home, |auths| had = auths.remove(key(registry)).is_some())?;
    Ok(had)
}

fn change(home: &Path, edit: impl FnOnce(&mut Map<String, Value>)) -> Result<PathBuf> {
    let path = home.join(FILE);
    let mut file = read(&path)?;
    let whole = file.as_object_mut().ok_or_else(|| Error::Failed(format!("{} is no JSON object", path.display())))?;
    let auths = whole.entry("auths").or_insert_with(|| json!({}));
    edit(auths.as_object_mut().ok_or_else(|| Error::Failed(format!("{}: `auths` is no object", path.display())))?);
    write(home, &path, &file)?;
    Ok(path)
}

fn read(path: &Path) -> Result<Value> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(json!({})),
        Err(e) => return Err(Error::io("read", path.display().to_string())(e)),
    };
    serde_json::from_slice(&text).map_err(|e| Error::Failed(format!("{} is damaged: {e}", path.display())))
}

/// Beside, then renamed: nobody reads half a file, and it is never readable by others.
fn write(home: &Path, path: &Path, file: &Value) -> Result<()> {
    let failed = |operation| Error::io(operation, path.display().to_string());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(failed("make directory of"))?;
    let beside = home.join(format!(".{FILE}.{}", std::process::id()));
    let result = (|| {
        let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        new.write_all(&serde_json::to_vec_pretty(file)?)?;
        new.sync_all()?;
        fs::rename(&beside, path)
    })();
    if result.is_err() {
        // The error is told; half a file beside the old one would be left.
        let _ = fs::remove_file(&beside);
    }
    result.map_err(failed("write"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn alice(server: &str) -> RegistryAuth {
        RegistryAuth {
            username: "alice".to_owned(),
            password: "s3cret:with colon".to_owned(),
            serveraddress: server.to_owned(),
            ..RegistryAuth::default()
        }
    }

    #[test]
    fn what_is_stored_is_found_again_and_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let path = store(home.path(), &alice("127.0.0.1:5000")).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let file = read(&path).unwrap();
        assert_eq!(in_file(&file, "127.0.0.1:5000").unwrap(), Some(alice("127.0.0.1:5000")));
        assert!(forget(home.path(), "127.0.0.1:5000").unwrap());
        assert!(!forget(home.path(), "127.0.0.1:5000").unwrap());
    }

    #[test]
    fn what_else_the_file_holds_stays() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(FILE), r#"{"detachKeys":"ctrl-a","auths":{"other":{"auth":"YTpi"}}}"#).unwrap();
        let file = read(&store(home.path(), &alice("docker.io")).unwrap()).unwrap();
        assert_eq!(file.pointer("/detachKeys"), Some(&json!("ctrl-a")));
        assert_eq!(in_file(&file, "other").unwrap().unwrap().username, "a");
        assert_eq!(in_file(&file, auth::HUB).unwrap().unwrap().username, "alice");
    }

    #[test]
    fn a_damaged_file_is_named() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(FILE), "{").unwrap();
        let error = store(home.path(), &alice("x")).unwrap_err().to_string();
        assert!(error.contains("config.json is damaged"), "{error}");
    }
}
