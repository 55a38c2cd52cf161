//! An image's configuration (OCI image-spec, config.md) in the making. What this builder does not know of a base's
//! configuration stays as it is.

use crate::images::{Descriptor, Layer};
use davit_model::digest::Digest;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// The search path of an image that says none, as everywhere.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a base's configuration cannot be built on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON, or not an object.
    #[error("the base's configuration is malformed: {0}")]
    Malformed(String),
    /// The configuration and the manifest disagree.
    #[error("the base's configuration names {config} layers, its manifest {manifest}")]
    Layers {
        /// Diff ids.
        config: usize,
        /// Layers.
        manifest: usize,
    },
    /// The base wants instructions to be run.
    #[error("the base has ONBUILD instructions, which are not supported yet: {0:?}")]
    OnBuild(Vec<String>),
}

/// A configuration that instructions change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    root: Map<String, Value>,
    settings: Map<String, Value>,
    history: Vec<Value>,
}

impl Config {
    /// Of `FROM scratch`.
    pub(crate) fn scratch(architecture: &str) -> Self {
        let root = Map::from_iter([
            ("architecture".to_owned(), Value::from(architecture)),
            ("os".to_owned(), Value::from("linux")),
        ]);
        let settings = Map::from_iter([("Env".to_owned(), json!([PATH]))]);
        Self { root, settings, history: Vec::new() }
    }

    /// Of an image that has `layers` layers.
    pub(crate) fn based(bytes: &[u8], layers: usize) -> Result<Self, ConfigError> {
        let mut root: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|e| ConfigError::Malformed(e.to_string()))?;
        let rootfs = root.remove("rootfs").unwrap_or_default();
        let diff_ids = rootfs.get("diff_ids").and_then(Value::as_array).map_or(0, Vec::len);
        if diff_ids != layers {
            return Err(ConfigError::Layers { config: diff_ids, manifest: layers });
        }
        let mut settings = match root.remove("config") {
            Some(Value::Object(settings)) => settings,
            _ => Map::new(),
        };
        let triggers = settings.remove("OnBuild").and_then(|v| serde_json::from_value::<Vec<String>>(v).ok());
        if let Some(triggers) = triggers.filter(|t| !t.is_empty()) {
            return Err(ConfigError::OnBuild(triggers));
        }
        let history = match root.remove("history") {
            Some(Value::Array(history)) => history,
            _ => Vec::new(),
        };
        // What Docker's old builder says about the container that made the base is no longer true.
        for stale in ["container", "container_config", "docker_version", "id", "parent", "parent_id", "throwaway"] {
            root.remove(stale);
        }
        let mut config = Self { root, settings, history };
        if config.env().is_empty() {
            config.set("Env", json!([PATH]));
        }
        Ok(config)
    }

    /// A list of texts; empty where there is none.
    fn list(&self, key: &str) -> Vec<String> {
        let list = self.settings.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// A text; empty where there is none.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.settings.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Sets a value of `config`.
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        self.settings.insert(key.to_owned(), value);
    }

    /// Takes a value of `config` away.
    pub(crate) fn unset(&mut self, key: &str) {
        self.settings.remove(key);
    }

    /// Adds a name with an empty object, as ports and volumes are kept.
    pub(crate) fn add_key(&mut self, key: &str, name: &str) {
        self.insert(key, name, json!({}));
    }

    /// Sets a label.
    pub(crate) fn label(&mut self, name: &str, value: &str) {
        self.insert("Labels", name, Value::from(value));
    }

    fn insert(&mut self, key: &str, name: &str, value: Value) {
        let map = self.settings.entry(key).or_insert(Value::Null);
        match map {
            Value::Object(map) => {
                map.insert(name.to_owned(), value);
            }
            other => *other = json!({ name: value }),
        }
    }

    /// Names and values of the environment.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        let split = |e: String| {
            let (name, value) = e.split_once('=').unwrap_or((&e, ""));
            (name.to_owned(), value.to_owned())
        };
        self.list("Env").into_iter().map(split).collect()
    }

    /// Sets a variable, in its place where it is there.
    pub(crate) fn set_env(&mut self, name: &str, value: &str) {
        let mut env = self.env();
        match env.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value.to_owned(),
            None => env.push((name.to_owned(), value.to_owned())),
        }
        let env: Vec<String> = env.into_iter().map(|(n, v)| format!("{n}={v}")).collect();
        self.set("Env", json!(env));
    }

    /// What shell forms are run with.
    pub(crate) fn shell(&self) -> Vec<String> {
        let shell = self.list("Shell");
        if shell.is_empty() { vec!["/bin/sh".to_owned(), "-c".to_owned()] } else { shell }
    }

    /// Who made it.
    pub(crate) fn set_author(&mut self, author: &str) {
        self.root.insert("author".to_owned(), Value::from(author));
    }

    /// Notes a step that was done at `created`, with a layer or without.
    pub(crate) fn step(&mut self, created: &str, text: &str, layer: bool) {
        let mut step = json!({"created": created, "created_by": text, "comment": "davit.build.v0"});
        if let (false, Some(step)) = (layer, step.as_object_mut()) {
            step.insert("empty_layer".to_owned(), Value::Bool(true));
        }
        self.history.push(step);
    }

    /// The configuration's bytes. The same content is the same bytes: keys are in order.
    pub(crate) fn bytes(&self, created: &str, layers: &[Layer]) -> Vec<u8> {
        let diff_ids: Vec<&Digest> = layers.iter().map(|l| &l.diff_id).collect();
        let mut root = self.root.clone();
        root.insert("created".to_owned(), Value::from(created));
        root.insert("config".to_owned(), Value::Object(self.settings.clone()));
        root.insert("history".to_owned(), Value::Array(self.history.clone()));
        root.insert("rootfs".to_owned(), json!({"type": "layers", "diff_ids": diff_ids}));
        Value::Object(root).to_string().into_bytes()
    }
}

/// The digest of bytes.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

/// Whether two configurations differ in their times only.
pub(crate) fn same_but_for_times(a: &[u8], b: &[u8]) -> bool {
    let timeless = |bytes: &[u8]| -> Option<Value> {
        let mut value: Value = serde_json::from_slice(bytes).ok()?;
        value.as_object_mut()?.remove("created");
        for step in value.get_mut("history").and_then(Value::as_array_mut).into_iter().flatten() {
            step.as_object_mut()?.remove("created");
        }
        Some(value)
    };
    timeless(a).is_some_and(|a| timeless(b) == Some(a))
}

/// The manifest of an image (OCI image-spec, manifest.md).
pub(crate) fn manifest(config: &[u8], layers: &[Layer]) -> Vec<u8> {
    let config = Descriptor {
        media_type: "application/vnd.oci.image.config.v1+json".to_owned(),
        digest: digest(config),
        size: config.len() as u64,
    };
    let layers: Vec<Descriptor> = layers.iter().map(|l| oci(&l.descriptor)).collect();
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers});
    manifest.to_string().into_bytes()
}

/// A layer of a base may have come under Docker's name for the same bytes.
fn oci(descriptor: &Descriptor) -> Descriptor {
    let media_type = match descriptor.media_type.as_str() {
        "application/vnd.docker.image.rootfs.diff.tar" => "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => "application/vnd.oci.image.layer.v1.tar+zstd",
        other => other,
    };
    Descriptor { media_type: media_type.to_owned(), ..descriptor.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_built_on_and_what_is_unknown_of_it_stays() {
        let base = json!({
            "architecture": "arm64", "os": "linux", "variant": "v8", "container": "gone",
            "config": {"Env": ["A=1"], "Healthcheck": {"Test": ["NONE"]}, "Labels": null},
            "rootfs": {"type": "layers", "diff_ids": []},
            "history": [{"created_by": "base"}],
        });
        let mut config = Config::based(base.to_string().as_bytes(), 0).unwrap();
        config.set_env("A", "2");
        config.set_env("B", "x=y");
        config.label("l", "v");
        config.step("now", "ENV A=2", false);
        let made: Value = serde_json::from_slice(&config.bytes("now", &[])).unwrap();
        assert_eq!(made["config"]["Env"], json!(["A=2", "B=x=y"]));
        assert_eq!(made["config"]["Healthcheck"]["Test"][0], "NONE");
        assert_eq!(made["config"]["Labels"], json!({"l": "v"}));
        assert_eq!((&made["variant"], &made["container"]), (&json!("v8"), &Value::Null));
        assert_eq!(made["history"][1]["empty_layer"], true);
    }

    #[test]
    fn bases_that_cannot_be_built_on_say_why() {
        for (base, why) in [
            ("[]", "malformed"),
            (r#"{"rootfs":{"diff_ids":["x"]}}"#, "names 1 layers, its manifest 0"),
            (r#"{"config":{"OnBuild":["RUN x"]}}"#, "ONBUILD instructions"),
        ] {
            let error = Config::based(base.as_bytes(), 0).unwrap_err().to_string();
            assert!(error.contains(why), "{base}: {error}");
        }
    }

    #[test]
    fn times_alone_make_no_other_image() {
        let mut config = Config::scratch("amd64");
        config.step("then", "x", false);
        let mut later = Config::scratch("amd64");
        later.step("now", "x", false);
        assert!(same_but_for_times(&config.bytes("then", &[]), &later.bytes("now", &[])));
        later.set("User", json!("1"));
        assert!(!same_but_for_times(&config.bytes("then", &[]), &later.bytes("now", &[])));
    }
}
