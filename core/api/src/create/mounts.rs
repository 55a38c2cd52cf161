//! What is mounted: `-v`, `--mount`, `--tmpfs` and a configuration's volumes.

use super::{body, leftover};
use crate::failure::ApiError;
use davit_model::container::{MountRequest, MountSource};

/// Reads `source:target[:options]`, or a target alone (`-v`).
pub(crate) fn bind(text: &str) -> Result<MountRequest, ApiError> {
    let bad = |why: &str| ApiError::invalid(format!("invalid volume specification: '{text}': {why}"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [target] => (None, *target, ""),
        [source, target] => (Some(*source), *target, ""),
        [source, target, options] => (Some(*source), *target, *options),
        _ => return Err(bad("too many colons")),
    };
    let mut mount = MountRequest {
        source: match source {
            Some("") => return Err(bad("the source is empty")),
            Some(path) if path.starts_with('/') => MountSource::Bind { path: path.to_owned(), create: true },
            Some(name) if name.starts_with('.') || name.contains('/') => {
                return Err(ApiError::invalid(format!(
                    "create {name}: \"{name}\" includes invalid characters for a local volume name, only \
                     \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
                )));
            }
            Some(name) => MountSource::Volume { name: Some(name.to_owned()), no_copy: false },
            None => MountSource::Volume { name: None, no_copy: false },
        },
        target: absolute(target).ok_or_else(|| bad("mount path must be absolute"))?,
        read_only: false,
        propagation: None,
    };
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option {
            "ro" => mount.read_only = true,
            "nocopy" => match &mut mount.source {
                MountSource::Volume { no_copy, .. } => *no_copy = true,
                _ => return Err(bad("nocopy is for volumes")),
            },
            "rw" | "consistent" | "cached" | "delegated" => {}
            // Relabelling is for SELinux, which no kernel that we run on has switched on.
            "z" | "Z" => {}
            "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" => {
                mount.propagation = Some(option.to_owned());
            }
            _ => return Err(bad("invalid mode")),
        }
    }
    Ok(mount)
}

/// Reads a mount of the `--mount` kind.
pub(crate) fn mount(asked: &body::Mount, warnings: &mut Vec<String>) -> Result<MountRequest, ApiError> {
    let kind = asked.kind.as_deref().unwrap_or("");
    let bad = |why: &str| ApiError::invalid(format!("invalid mount config for type {kind:?}: {why}"));
    leftover::check("Mount.", &asked.rest, warnings)?;
    let source = asked.source.as_deref().unwrap_or("");
    let mut propagation = None;
    let source = match kind {
        "bind" => {
            let mut create = false;
            if let Some(options) = &asked.bind_options {
                leftover::check("Mount.BindOptions.", &options.rest, warnings)?;
                create = options.create_mountpoint.unwrap_or(false);
                propagation = options.propagation.clone().filter(|p| !p.is_empty());
            }
            let path = absolute(source)
                .ok_or_else(|| bad(&format!("invalid mount path: '{source}' mount path must be absolute")))?;
            MountSource::Bind { path, create }
        }
        "volume" => {
            let mut no_copy = false;
            if let Some(options) = &asked.volume_options {
                leftover::check("Mount.VolumeOptions.", &options.rest, warnings)?;
                no_copy = options.no_copy.unwrap_or(false);
            }
            MountSource::Volume { name: Some(source.to_owned()).filter(|n| !n.is_empty()), no_copy }
        }
        "tmpfs" => {
            if !source.is_empty() {
                return Err(bad("field Source must not be specified"));
            }
            let none = body::TmpfsOptions::default();
            let options = asked.tmpfs_options.as_ref().unwrap_or(&none);
            leftover::check("Mount.TmpfsOptions.", &options.rest, warnings)?;
            let size = options.size_bytes.filter(|s| *s != 0);
            let size = size.map(u64::try_from).transpose().map_err(|_| bad("the size is negative"))?;
            MountSource::Tmpfs { size, mode: options.mode.filter(|m| *m != 0) }
        }
        _ => return Err(ApiError::invalid(format!("mount type {kind:?} is not supported by this engine"))),
    };
    let target = asked.target.as_deref().unwrap_or("");
    let target =
        absolute(target).ok_or_else(|| bad(&format!("invalid mount path: '{target}' mount path must be absolute")))?;
    Ok(MountRequest { source, target, read_only: asked.read_only.unwrap_or(false), propagation })
}

/// An anonymous volume at `target`.
pub(crate) fn anonymous(target: &str) -> Result<MountRequest, ApiError> {
    bind(target)
}

fn absolute(path: &str) -> Option<String> {
    (path.starts_with('/') && !path.contains('\0')).then(|| path.to_owned())
}
