//! `-v [SOURCE:]TARGET[:OPTIONS]`, `--mount key=value,…` and `--tmpfs PATH[:OPTIONS]`.

use crate::{
    error::{Error, Result},
    quantity,
};
use davit_api_types::models::{
    Mount, MountBindOptions, MountTmpfsOptions, MountType, MountVolumeOptions, MountVolumeOptionsDriverConfig,
};
use std::{collections::HashMap, path::Path};

/// `-v` taken apart: binds for the daemon, and targets of anonymous volumes.
pub(super) fn volumes(flags: &[String]) -> Result<(Vec<String>, Vec<String>)> {
    let (mut binds, mut anonymous) = (Vec::new(), Vec::new());
    for flag in flags {
        match flag.split_once(':') {
            None if flag.starts_with('/') => anonymous.push(flag.clone()),
            Some((source, rest)) if !source.is_empty() && rest.starts_with('/') => {
                binds.push(format!("{}:{rest}", absolute(source)?));
            }
            _ => {
                return Err(Error::flag(format!(
                    "invalid volume: {flag:?}: written as [SOURCE:]TARGET[:OPTIONS], with an absolute target"
                )));
            }
        }
    }
    Ok((binds, anonymous))
}

/// A source that begins with a dot is a path from here; any other that is not absolute names a volume.
fn absolute(source: &str) -> Result<String> {
    if !source.starts_with('.') {
        return Ok(source.to_owned());
    }
    let here = std::env::current_dir().map_err(Error::io("find", "the current directory"))?;
    let path = here.join(source);
    // `/here/./x` is what the daemon must see as `/here/x`; symbolic links are its own business.
    let path: std::path::PathBuf = std::path::absolute(&path).unwrap_or(path).components().collect();
    path.to_str().map(str::to_owned).ok_or_else(|| Error::flag(format!("{} is not UTF-8", path.display())))
}

/// Targets and options of `--tmpfs`.
pub(super) fn tmpfs(flags: &[String]) -> HashMap<String, String> {
    flags
        .iter()
        .map(|flag| flag.split_once(':').unwrap_or((flag, "")))
        .map(|(path, options)| (path.to_owned(), options.to_owned()))
        .collect()
}

/// One `--mount`.
pub(super) fn mount(flag: &str) -> Result<Mount> {
    let refuse = |why: String| Error::flag(format!("invalid mount: {flag:?}: {why}"));
    let mut mount = Mount { typ: Some(MountType::VOLUME), ..Mount::default() };
    for field in flag.split(',') {
        let (key, value) = field.trim().split_once('=').unwrap_or((field.trim(), ""));
        let on = || match value {
            "" | "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(refuse(format!("{key} is true or false"))),
        };
        match key.to_ascii_lowercase().as_str() {
            "type" => {
                mount.typ = Some(kind(value).ok_or_else(|| refuse("type is bind, volume, tmpfs or image".to_owned()))?)
            }
            "source" | "src" => mount.source = Some(absolute(value)?),
            "target" | "dst" | "destination" => mount.target = Some(value.to_owned()),
            "readonly" | "ro" => mount.read_only = Some(on()?),
            "consistency" => mount.consistency = Some(value.to_owned()),
            "bind-propagation" => {
                let propagation = serde_json::from_value(value.into());
                bind(&mut mount).propagation =
                    Some(propagation.map_err(|_| refuse(format!("unknown {key} {value:?}")))?);
            }
            "bind-recursive" => match value {
                "enabled" => {}
                "disabled" => bind(&mut mount).non_recursive = Some(true),
                "writable" => bind(&mut mount).read_only_non_recursive = Some(true),
                "readonly" => bind(&mut mount).read_only_force_recursive = Some(true),
                _ => return Err(refuse(format!("unknown {key} {value:?}"))),
            },
            "bind-create-src" => bind(&mut mount).create_mountpoint = Some(on()?),
            "volume-nocopy" => volume(&mut mount).no_copy = Some(on()?),
            "volume-subpath" => volume(&mut mount).subpath = Some(value.to_owned()),
            "volume-label" => {
                let (key, value) = super::environment::pair(value);
                volume(&mut mount).labels.get_or_insert_default().insert(key, value);
            }
            "volume-driver" => driver(&mut mount).name = Some(value.to_owned()),
            "volume-opt" => {
                let (key, value) = super::environment::pair(value);
                driver(&mut mount).options.get_or_insert_default().insert(key, value);
            }
            "tmpfs-size" => tmpfs_options(&mut mount).size_bytes = Some(quantity::bytes(value)?),
            "tmpfs-mode" => {
                let mode = i64::from_str_radix(value, 8).map_err(|_| refuse("tmpfs-mode is octal".to_owned()))?;
                tmpfs_options(&mut mount).mode = Some(mode);
            }
            _ => return Err(refuse(format!("unknown key {key:?}"))),
        }
    }
    match &mount.target {
        None => Err(refuse("a target is missing".to_owned())),
        Some(target) if !target.starts_with('/') => Err(refuse("the target is absolute".to_owned())),
        Some(_) => check_source(&mount).map_err(refuse).map(|()| mount),
    }
}

fn check_source(mount: &Mount) -> std::result::Result<(), String> {
    match (mount.typ, mount.source.as_deref()) {
        (Some(MountType::BIND), None) => Err("a bind has a source".to_owned()),
        (Some(MountType::BIND), Some(source)) if !Path::new(source).is_absolute() => {
            Err("the source of a bind is an absolute path, or begins with a dot".to_owned())
        }
        (Some(MountType::TMPFS), Some(_)) => Err("a tmpfs has no source".to_owned()),
        _ => Ok(()),
    }
}

fn kind(text: &str) -> Option<MountType> {
    match text {
        "bind" => Some(MountType::BIND),
        "volume" => Some(MountType::VOLUME),
        "tmpfs" => Some(MountType::TMPFS),
        "image" => Some(MountType::IMAGE),
        _ => None,
    }
}

fn bind(mount: &mut Mount) -> &mut MountBindOptions {
    mount.bind_options.get_or_insert_default()
}

fn volume(mount: &mut Mount) -> &mut MountVolumeOptions {
    mount.volume_options.get_or_insert_default()
}

fn driver(mount: &mut Mount) -> &mut MountVolumeOptionsDriverConfig {
    volume(mount).driver_config.get_or_insert_default()
}

fn tmpfs_options(mount: &mut Mount) -> &mut MountTmpfsOptions {
    mount.tmpfs_options.get_or_insert_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_binds_named_or_anonymous() {
        let flags = ["/host:/in:ro", "data:/data", "/anonymous", "./here:/here"].map(str::to_owned);
        let (binds, anonymous) = volumes(&flags).unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(binds, ["/host:/in:ro", "data:/data", &format!("{}/here:/here", here.display())]);
        assert_eq!(anonymous, ["/anonymous"]);
        for flag in ["relative", "a:b", ":/x", ""] {
            assert!(volumes(&[flag.to_owned()]).is_err(), "{flag}");
        }
    }

    #[test]
    fn a_mount_says_all_it_needs_or_is_refused() {
        let read = mount("type=bind,src=/etc,dst=/mnt,readonly,bind-propagation=rslave").unwrap();
        assert_eq!((read.source.as_deref(), read.read_only), (Some("/etc"), Some(true)));
        let read = mount("type=tmpfs,target=/run,tmpfs-size=1m,tmpfs-mode=1777").unwrap().tmpfs_options.unwrap();
        assert_eq!((read.size_bytes, read.mode), (Some(1 << 20), Some(0o1777)));
        for flag in [
            "type=bind,dst=/x",
            "type=bind,src=x,dst=/x",
            "src=a",
            "dst=x",
            "type=nfs,dst=/x",
            "dst=/x,what=1",
            "type=tmpfs,src=/a,dst=/b",
        ] {
            assert!(mount(flag).is_err(), "{flag}");
        }
    }
}
