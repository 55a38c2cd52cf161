//! Volumes: folders of this engine that outlive containers; and what a container's mount requests resolve to.

use crate::{
    Engine, EngineError,
    create::ImageDefaults,
    inspect::VolumeDetails,
    own_volumes,
    record::{MountRecord, VolumeRecord},
    tables::{self, Row as _},
};
use davit_model::{
    container::{ContainerSpec, MountSource},
    id::{Caller, ContainerId, ObjectName},
    lifecycle::Operation,
};
use davit_sys::fault::point;
use std::{collections::BTreeMap, os::unix::fs::DirBuilderExt, path::PathBuf};

/// The folder of a volume's folder that containers see.
pub(crate) const DATA: &str = "_data";

impl Engine {
    /// All volumes.
    pub async fn volumes(&self) -> Result<Vec<VolumeDetails>, EngineError> {
        let rows: Vec<VolumeRecord> = tables::all(&self.inner.db).await?;
        Ok(rows.into_iter().map(|r| self.volume_details(r)).collect())
    }

    /// A volume.
    pub async fn volume_inspect(&self, name: &str) -> Result<VolumeDetails, EngineError> {
        let rows: Vec<VolumeRecord> = tables::all(&self.inner.db).await?;
        let found = rows.into_iter().find(|r| r.name == name);
        found
            .map(|r| self.volume_details(r))
            .ok_or_else(|| EngineError::not_found(format!("get {name}: no such volume")))
    }

    /// A volume of that name, made where it is not there; without a name a new anonymous one.
    pub async fn volume_create(
        &self,
        caller: &Caller,
        name: Option<&str>,
        labels: BTreeMap<String, String>,
    ) -> Result<VolumeDetails, EngineError> {
        self.admit(&volume_operation("volume.create", caller, name, labels.clone())).await?;
        self.volume_for(name, labels, None).await
    }

    /// As [`Engine::volume_create`]; a new anonymous one lasts only where the record of `container` comes to be.
    async fn volume_for(
        &self,
        name: Option<&str>,
        labels: BTreeMap<String, String>,
        container: Option<&ContainerId>,
    ) -> Result<VolumeDetails, EngineError> {
        if let Some(name) = name
            && let Ok(found) = self.volume_inspect(name).await
        {
            return Ok(found);
        }
        let anonymous = name.is_none();
        let name = match name {
            Some(name) => name.to_owned(),
            None => ContainerId::from_bytes(&crate::engine::random()?).to_string(),
        };
        let checked: ObjectName =
            name.parse().map_err(|e| EngineError::invalid(format!("create {name}: volume name: {e}")))?;
        let record = VolumeRecord { name: checked.to_string(), created: jiff::Timestamp::now(), labels, anonymous };
        let data = self.volume_path(&record.name);
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(&data);
        made.map_err(|e| EngineError::internal(&format!("making the volume {}", data.display()), e))?;
        point("volume.folder");
        let mut changes = vec![tables::putting(&record)?];
        changes.extend(container.filter(|_| anonymous).map(|c| own_volumes::journalling(&record.name, c)));
        tables::change(&self.inner.db, VolumeRecord::DURABILITY, changes).await?;
        self.publish("volume.create", &record.name, BTreeMap::from([("driver".to_owned(), "local".to_owned())]));
        Ok(self.volume_details(record))
    }

    /// Removes a volume that nobody uses, where policy permits.
    pub async fn volume_remove(&self, caller: &Caller, name: &str, force: bool) -> Result<(), EngineError> {
        let labels = self.volume_inspect(name).await.map(|details| details.record.labels).unwrap_or_default();
        self.admit(&volume_operation("volume.remove", caller, Some(name), labels)).await?;
        self.remove_volume(name, force).await
    }

    /// Removes a volume that nobody uses.
    pub(crate) async fn remove_volume(&self, name: &str, force: bool) -> Result<(), EngineError> {
        let details = match self.volume_inspect(name).await {
            Ok(details) => details,
            Err(_) if force => return Ok(()),
            Err(e) => return Err(e),
        };
        if let Some(user) = details.users.first() {
            return Err(EngineError::conflict(format!("remove {name}: volume is in use - [{user}]")));
        }
        // The record first: a folder without a record is found and removed at the next start.
        tables::delete::<VolumeRecord>(&self.inner.db, name).await?;
        let path = self.volume_folder(&details.record.name);
        let gone = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(path)).await;
        point("volume.removed");
        if let Ok(Err(e)) = gone
            && e.kind() != std::io::ErrorKind::NotFound
        {
            return Err(EngineError::internal(&format!("removing the volume {name}"), e));
        }
        self.publish("volume.destroy", name, BTreeMap::from([("driver".to_owned(), "local".to_owned())]));
        Ok(())
    }

    fn volume_details(&self, record: VolumeRecord) -> VolumeDetails {
        let uses = |c: &std::sync::Arc<crate::container::Container>| {
            c.read(|r| r.mounts.iter().any(|m| m.name.as_deref() == Some(record.name.as_str())))
        };
        let users = self.inner.containers.all().iter().filter(|c| uses(c)).map(|c| c.id.to_string()).collect();
        VolumeDetails { mountpoint: self.volume_path(&record.name).display().to_string(), users, record }
    }

    pub(crate) fn volume_folder(&self, name: &str) -> PathBuf {
        self.inner.options.data_root.join("volumes").join(name)
    }

    pub(crate) fn volume_path(&self, name: &str) -> PathBuf {
        self.volume_folder(name).join(DATA)
    }

    /// What the mount requests of a container, and the volumes of its image, resolve to. The strings are warnings.
    pub(crate) async fn resolve_mounts(
        &self,
        container: &ContainerId,
        spec: &ContainerSpec,
        image: &ImageDefaults,
    ) -> Result<(Vec<MountRecord>, Vec<String>), EngineError> {
        let mut mounts: Vec<MountRecord> = Vec::new();
        for request in &spec.mounts {
            if !request.target.starts_with('/') || request.target.split('/').any(|c| c == "..") {
                let why = format!("invalid mount target {:?}: it must be an absolute path without ..", request.target);
                return Err(EngineError::invalid(why));
            }
            let target = clean(&request.target);
            if target == "/" {
                return Err(EngineError::invalid("invalid mount target: it can't be '/'"));
            }
            if mounts.iter().any(|m| m.target == target) {
                return Err(EngineError::invalid(format!("Duplicate mount point: {target}")));
            }
            let propagation = request.propagation.clone().unwrap_or_else(|| "rprivate".to_owned());
            let base = MountRecord {
                kind: "bind".to_owned(),
                name: None,
                source: String::new(),
                target,
                read_only: request.read_only,
                propagation,
                anonymous: false,
                no_copy: false,
            };
            mounts.push(match &request.source {
                MountSource::Bind { path, create } => bind(base, path, *create)?,
                MountSource::Volume { name, no_copy } => {
                    let base = MountRecord { no_copy: *no_copy, ..base };
                    self.volume_mount(container, base, name.as_deref()).await?
                }
                MountSource::Tmpfs { .. } => MountRecord { kind: "tmpfs".to_owned(), ..base },
            });
        }
        for target in image.volumes.iter().flat_map(BTreeMap::keys).map(|t| clean(t)) {
            if mounts.iter().any(|m| m.target == target) || spec.tmpfs.contains_key(&target) {
                continue;
            }
            let base = MountRecord {
                kind: "volume".to_owned(),
                name: None,
                source: String::new(),
                target,
                read_only: false,
                propagation: "rprivate".to_owned(),
                anonymous: true,
                no_copy: false,
            };
            mounts.push(self.volume_mount(container, base, None).await?);
        }
        Ok((mounts, Vec::new()))
    }

    async fn volume_mount(
        &self,
        container: &ContainerId,
        base: MountRecord,
        name: Option<&str>,
    ) -> Result<MountRecord, EngineError> {
        let volume = self.volume_for(name, BTreeMap::new(), Some(container)).await?;
        Ok(MountRecord {
            kind: "volume".to_owned(),
            source: volume.mountpoint,
            anonymous: name.is_none(),
            name: Some(volume.record.name),
            propagation: String::new(),
            ..base
        })
    }
}

fn bind(base: MountRecord, path: &str, create: bool) -> Result<MountRecord, EngineError> {
    if !path.starts_with('/') {
        return Err(EngineError::invalid(format!("invalid mount source {path:?}: it must be an absolute path")));
    }
    match std::fs::metadata(path) {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && create => {
            std::fs::create_dir_all(path)
                .map_err(|e| EngineError::invalid(format!("error while creating mount source path '{path}': {e}")))?;
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let why = format!("invalid mount config for type \"bind\": bind source path does not exist: {path}");
            return Err(EngineError::invalid(why));
        }
        Err(e) => return Err(EngineError::invalid(format!("bind source path {path}: {e}"))),
    }
    Ok(MountRecord { source: path.to_owned(), ..base })
}

/// Without doubled slashes, dots and a slash at the end.
fn clean(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    format!("/{}", parts.join("/"))
}

/// An operation on a volume.
fn volume_operation(kind: &str, caller: &Caller, name: Option<&str>, labels: BTreeMap<String, String>) -> Operation {
    Operation {
        kind: kind.into(),
        caller: caller.clone(),
        image: None,
        image_digest: None,
        request: serde_json::json!({ "name": name, "labels": labels }),
        labels,
        privileged: false,
    }
}
