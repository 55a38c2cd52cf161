//! `create`: policy judges the request, the image's configuration is merged in, the storage driver lays out the root,
//! and the record is written. Nothing runs yet.

use crate::{
    Engine, EngineError, Kind,
    container::Container,
    images::store_error,
    own_volumes,
    record::{ContainerRecord, ProcessRecord, State},
    tables, unmet,
};
use davit_model::{
    container::ContainerSpec,
    digest::Digest,
    id::{Caller, ContainerId, ObjectName},
    storage::StorageDriver,
};
use davit_registry::Platform;
use davit_store::{
    LayerSource,
    image::{Descriptor, ImageRecord},
};
use davit_sys::fault::point;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What was made.
#[derive(Clone, Debug)]
pub struct Created {
    /// Its id.
    pub id: ContainerId,
    /// What the client should know.
    pub warnings: Vec<String>,
}

/// The part of an image's configuration that a container takes over (OCI image-spec, config.md, "config"). Go writes
/// null for what is empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ImageDefaults {
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
    pub(crate) volumes: Option<BTreeMap<String, serde_json::Value>>,
    stop_signal: Option<String>,
}

const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Engine {
    /// Makes a container of an image that is there; with `platform` (`os/architecture[/variant]`), only where it is for that.
    pub async fn create(
        &self,
        caller: &Caller,
        name: Option<&str>,
        spec: ContainerSpec,
        platform: Option<&str>,
    ) -> Result<Created, EngineError> {
        let name = name.map(|n| n.trim_start_matches('/').parse::<ObjectName>()).transpose();
        let name = name.map_err(|e| EngineError::invalid(format!("Invalid container name: {e}")))?;
        let image = self.inner.store.resolve(&spec.image).await.map_err(store_error)?;
        let mismatch = platform_mismatch(&spec.image, &image.record, platform)?;
        let manifest = image.record.manifests.first().map(|m| m.digest.clone());
        let admitted = self.mutate_and_admit(caller, spec, manifest.as_ref()).await?;
        let mut spec = admitted.spec;
        crate::sysctls::check(&spec)?;
        unmet::check(&spec)?;
        let config = self.inner.store.image_config(&image.record).await.map_err(store_error)?;
        let defaults = image_defaults(&config.raw)?;
        let id = new_id()?;
        let mut warnings = admitted.warnings;
        self.check_limits(&mut spec.limits, &mut warnings).await?;
        let hostname = unmet::hostname(&spec, id.short());
        spec.hostname = Some(hostname.clone());
        if !spec.env.is_empty() && spec.env.keys().any(|k| k.is_empty() || k.contains(['=', '\0'])) {
            return Err(EngineError::invalid("invalid environment variable: the name is empty or contains '='"));
        }
        let process = process_of(&spec, &defaults, &hostname)?;
        let policy = self.inner.policy();
        let driver = policy.storage(spec.storage_driver.as_deref())?;
        if spec.network.is_empty() {
            spec.network = "default".to_owned();
        }
        warnings.extend(self.check_place(&spec).await?);
        let name = match name {
            Some(name) => {
                self.inner.containers.reserve(&name, &id)?;
                name
            }
            None => self.inner.containers.reserve_generated(&id)?,
        };
        let made = async {
            let (mounts, said) = self.resolve_mounts(&id, &spec, &defaults).await?;
            self.unpack_for(&driver, &image.record).await?;
            let root =
                self.inner.store.prepare_root(&driver, &id, &image.record.diff_ids, &spec.storage_settings).await;
            let root = root.map_err(store_error)?;
            self.fill_volumes(&id, &mounts).await?;
            let labels = merged(defaults.labels.clone().unwrap_or_default(), &spec.labels);
            let exposed: BTreeSet<String> = defaults
                .exposed_ports
                .iter()
                .flat_map(|p| p.keys().cloned())
                .chain(spec.exposed_ports.iter().cloned())
                .collect();
            let record = ContainerRecord {
                id: id.clone(),
                name: name.clone(),
                created: jiff::Timestamp::now(),
                caller: caller.0.clone(),
                image: image.record.id.clone(),
                image_manifest: manifest.clone(),
                process,
                labels,
                exposed_ports: exposed.into_iter().collect(),
                driver: driver.name().to_owned(),
                root,
                mounts,
                state: State::default(),
                endpoint: None,
                spec,
            };
            self.inner.make_container_dir(&id)?;
            point("container.folder");
            let changes = vec![tables::putting(&record)?, own_volumes::recorded(&id)];
            let recorded = |c: &rusqlite::Connection| changes.into_iter().try_for_each(|change| change(c));
            self.inner.store.finish_root(&id, recorded).await.map_err(store_error)?;
            Ok::<_, EngineError>((record, said))
        };
        let (record, said) = match made.await {
            Ok(made) => made,
            Err(e) => {
                self.discard_files(&id).await;
                self.remove_own_volumes(&id).await;
                self.inner.containers.release(&name);
                return Err(e);
            }
        };
        self.inner.containers.insert(Container::new(record.clone()));
        self.publish("container.create", id.as_str(), event_attributes(&record));
        Ok(Created { id, warnings: [mismatch, warnings, said].concat() })
    }
}

impl Engine {
    /// Makes the image's layers be there for this driver: it may have been pulled while another was the default.
    async fn unpack_for(&self, driver: &Arc<dyn StorageDriver>, image: &ImageRecord) -> Result<(), EngineError> {
        let store = &self.inner.store;
        let Some(top) = image.chain_ids.last() else { return Ok(()) };
        if store.layer(driver.as_ref(), top).await.map_err(store_error)?.is_some() {
            return Ok(());
        }
        let blobs = image.manifests.first().map(|m| m.layers.as_slice()).unwrap_or_default();
        let source = |(diff_id, blob): (&Digest, &Descriptor)| {
            LayerSource::blob(store, diff_id.clone(), blob.media_type.clone(), blob.digest.clone())
        };
        let sources = image.diff_ids.iter().zip(blobs).map(source).collect();
        let lease = store.lease("create a container").await.map_err(store_error)?;
        store.ensure_layers(driver, &lease, sources).await.map_err(store_error)?;
        lease.release().await.map_err(store_error)
    }
}

/// Refuses an image that is not for the platform that was asked for; the answer: a warning where none was asked for and
/// the image is not for this machine.
fn platform_mismatch(name: &str, image: &ImageRecord, asked: Option<&str>) -> Result<Vec<String>, EngineError> {
    let is = Platform {
        os: image.os.clone(),
        architecture: image.architecture.clone(),
        variant: image.variant.clone().filter(|v| !v.is_empty()),
    };
    let asked = asked.filter(|p| !p.is_empty()).map(str::parse::<Platform>).transpose();
    let asked = asked.map_err(|e| EngineError::invalid(format!("invalid platform: {e}")))?;
    let host = Platform::host();
    match asked {
        // Docker's words and its 404: clients that may pull then do, for that platform.
        Some(asked) if !asked.takes(&is) => Err(EngineError::not_found(format!(
            "image with reference {name} was found but its platform ({is}) does not match the specified platform ({asked})"
        ))),
        None if !host.takes(&is) => Ok(vec![format!(
            "The requested image's platform ({is}) does not match the detected host platform ({host}) and no specific \
             platform was requested"
        )]),
        _ => Ok(Vec::new()),
    }
}

/// What every event about a container tells.
pub(crate) fn event_attributes(record: &ContainerRecord) -> BTreeMap<String, String> {
    let mut attributes = record.labels.clone();
    attributes.insert("name".to_owned(), record.name.to_string());
    attributes.insert("image".to_owned(), record.spec.image.clone());
    attributes
}

pub(crate) fn image_defaults(config: &[u8]) -> Result<ImageDefaults, EngineError> {
    #[derive(Deserialize)]
    struct Outer {
        config: Option<ImageDefaults>,
    }
    let outer: Outer = serde_json::from_slice(config)
        .map_err(|e| EngineError::invalid(format!("the image's configuration makes no sense: {e}")))?;
    Ok(outer.config.unwrap_or_default())
}

fn new_id() -> Result<ContainerId, EngineError> {
    Ok(ContainerId::from_bytes(&crate::engine::random()?))
}

fn merged(mut base: BTreeMap<String, String>, over: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    base.extend(over.iter().map(|(k, v)| (k.clone(), v.clone())));
    base
}

fn process_of(spec: &ContainerSpec, image: &ImageDefaults, hostname: &str) -> Result<ProcessRecord, EngineError> {
    let given = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    // An entry point of the request hides the image's command, as it was written for the image's entry point.
    let (entrypoint, image_cmd) = match &spec.entrypoint {
        Some(e) => (e.iter().filter(|_| e.as_slice() != [""]).cloned().collect(), Vec::new()),
        None => (given(&image.entrypoint), given(&image.cmd)),
    };
    let cmd = spec.cmd.clone().filter(|c| !c.is_empty()).unwrap_or(image_cmd);
    let args: Vec<String> = entrypoint.iter().chain(&cmd).cloned().collect();
    if args.first().is_none_or(String::is_empty) {
        return Err(EngineError::new(Kind::Invalid, "no command specified"));
    }
    let cwd = spec.working_dir.clone().or_else(|| image.working_dir.clone()).filter(|d| !d.is_empty());
    let cwd = cwd.unwrap_or_else(|| "/".to_owned());
    if !cwd.starts_with('/') {
        return Err(EngineError::invalid(format!(
            "the working directory '{cwd}' is invalid, it needs to be an absolute path"
        )));
    }
    Ok(ProcessRecord {
        args,
        entrypoint,
        cmd,
        env: environment(spec, &given(&image.env), hostname),
        cwd,
        user: spec.user.clone().or_else(|| image.user.clone()).unwrap_or_default(),
        stop_signal: spec.stop_signal.clone().or_else(|| image.stop_signal.clone()).unwrap_or("SIGTERM".to_owned()),
    })
}

/// The engine's own, then the image's, then the request's; the last to name a variable wins, in its first place.
fn environment(spec: &ContainerSpec, image: &[String], hostname: &str) -> Vec<String> {
    let mut env = vec![DEFAULT_PATH.to_owned(), format!("HOSTNAME={hostname}")];
    if spec.tty {
        env.push("TERM=xterm".to_owned());
    }
    let name = |e: &str| e.split_once('=').map_or(e, |(n, _)| n).to_owned();
    let mut set = |entry: String| match env.iter_mut().find(|e| name(e) == name(&entry)) {
        Some(place) => *place = entry,
        None => env.push(entry),
    };
    image.iter().for_each(|e| set(e.clone()));
    for (key, value) in &spec.env {
        if let Some(value) = value {
            set(format!("{key}={value}"));
        }
    }
    env.retain(|e| !matches!(spec.env.get(&name(e)), Some(None)));
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> Option<Vec<String>> {
        Some(items.iter().map(|s| s.to_string()).collect())
    }

    fn image() -> ImageDefaults {
        ImageDefaults {
            entrypoint: list(&["/e"]),
            cmd: list(&["c"]),
            env: list(&["PATH=/x", "A=1"]),
            ..Default::default()
        }
    }

    #[test]
    fn commands_are_merged_as_docker_does() {
        let args = |entrypoint, cmd| {
            let spec = ContainerSpec { entrypoint, cmd, ..Default::default() };
            process_of(&spec, &image(), "h").map(|p| p.args.join(" ")).map_err(|e| e.to_string())
        };
        assert_eq!(args(None, None).unwrap(), "/e c");
        assert_eq!(args(None, list(&["d"])).unwrap(), "/e d");
        assert_eq!(args(list(&["/f"]), None).unwrap(), "/f");
        assert_eq!(args(list(&[""]), list(&["d"])).unwrap(), "d");
        assert_eq!(args(list(&[]), None).unwrap_err(), "no command specified");
    }

    #[test]
    fn the_request_overrides_and_removes_variables_of_the_image() {
        let env = BTreeMap::from([("A".to_owned(), Some("2".to_owned())), ("HOSTNAME".to_owned(), None)]);
        let spec = ContainerSpec { env, tty: true, ..Default::default() };
        assert_eq!(environment(&spec, &image().env.unwrap(), "h"), ["PATH=/x", "TERM=xterm", "A=2"]);
    }

    #[test]
    fn gos_nulls_are_empty() {
        let config = serde_json::json!({ "config": { "Cmd": null, "Env": null, "Labels": null, "Volumes": {} } });
        assert!(image_defaults(config.to_string().as_bytes()).unwrap().cmd.is_none());
    }
}
