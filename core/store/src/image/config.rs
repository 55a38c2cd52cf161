//! Image configurations: OCI image-spec "Image Configuration", with what Docker adds to it. Pure.

use crate::error::{Result, StoreError};
use davit_model::digest::Digest;
use oci_spec::image::ImageConfiguration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A configuration that was checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its digest: the image's id.
    pub digest: Digest,
    /// What the specification knows.
    pub spec: ImageConfiguration,
    /// What Docker adds inside `config`.
    pub docker: DockerConfig,
    /// Digests of the layers' uncompressed archives, base first.
    pub diff_ids: Vec<Digest>,
    /// The bytes as they came.
    pub raw: Vec<u8>,
}

/// Fields that Docker writes beside the specification's. Values stay JSON as they came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DockerConfig {
    /// Health check of `HEALTHCHECK`.
    pub healthcheck: Option<Value>,
    /// Instructions of `ONBUILD`.
    pub on_build: Option<Vec<String>>,
    /// The shell of `SHELL`.
    pub shell: Option<Vec<String>>,
    /// Windows: the command is one escaped line.
    pub args_escaped: Option<bool>,
    /// Host name at build time.
    pub hostname: Option<String>,
    /// Domain name at build time.
    pub domainname: Option<String>,
}

/// Go writes absent maps and lists as null; the specification leaves them out.
fn without_null(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(without_null);
        }
        Value::Array(list) => list.iter_mut().for_each(without_null),
        _ => {}
    }
}

impl Config {
    /// Reads and checks.
    pub fn parse(raw: Vec<u8>) -> Result<Self> {
        let digest = Digest::sha256(&Sha256::digest(&raw).into());
        let fail = |why: String| StoreError::Document { what: format!("image configuration {digest}"), why };
        let mut value: Value = serde_json::from_slice(&raw).map_err(|e| fail(format!("not JSON: {e}")))?;
        without_null(&mut value);
        let docker = match value.get("config") {
            Some(config) => serde_json::from_value(config.clone()).map_err(|e| fail(e.to_string()))?,
            None => DockerConfig::default(),
        };
        // An image without layers has no list of them in some writers' hands.
        if let Some(rootfs) = value.get_mut("rootfs").and_then(Value::as_object_mut) {
            rootfs.entry("diff_ids").or_insert_with(|| Value::Array(Vec::new()));
        }
        let spec: ImageConfiguration = serde_json::from_value(value).map_err(|e| fail(e.to_string()))?;
        let diff_ids = spec.rootfs().diff_ids().iter().map(|d| d.parse()).collect::<Result<Vec<Digest>, _>>();
        let diff_ids = diff_ids.map_err(|e| fail(format!("rootfs: {e}")))?;
        Ok(Self { digest, spec, docker, diff_ids, raw })
    }
}
