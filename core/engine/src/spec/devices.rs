//! Devices: which a container may open (control group rules), and which nodes it gets beside the default ones.

use crate::{EngineError, record::ContainerRecord};
use davit_model::container::DeviceRequest;
use oci_spec::runtime as oci;
use std::path::Path;

/// Devices that a container may open: none, but the harmless ones, ptys, and what was asked for (moby, oci/defaults.go).
pub(crate) fn rules(record: &ContainerRecord) -> Result<Vec<oci::LinuxDeviceCgroup>, EngineError> {
    use oci::LinuxDeviceType as T;
    let rule = |allow: bool, typ: T, major: Option<i64>, minor: Option<i64>, access: &str| {
        let mut rule = oci::LinuxDeviceCgroupBuilder::default().allow(allow).typ(typ).access(access);
        if let Some(major) = major {
            rule = rule.major(major);
        }
        if let Some(minor) = minor {
            rule = rule.minor(minor);
        }
        rule.build().map_err(super::bad)
    };
    if record.spec.privileged {
        return Ok(vec![rule(true, T::A, None, None, "rwm")?]);
    }
    let mut rules = vec![
        rule(false, T::A, None, None, "rwm")?,
        rule(true, T::C, None, None, "m")?,
        rule(true, T::B, None, None, "m")?,
        rule(true, T::C, Some(136), None, "rwm")?,
        rule(true, T::C, Some(5), Some(2), "rwm")?,
    ];
    for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1)] {
        rules.push(rule(true, T::C, Some(major), Some(minor), "rwm")?);
    }
    for device in &record.spec.devices {
        let (typ, major, minor) = node(&device.host)?;
        if device.permissions.is_empty() || !device.permissions.chars().all(|c| "rwm".contains(c)) {
            return Err(EngineError::invalid(format!("invalid device permissions: {}", device.permissions)));
        }
        rules.push(rule(true, typ, Some(major), Some(minor), &device.permissions)?);
    }
    Ok(rules)
}

/// Nodes to make: those asked for; for a privileged container all that the host has.
pub(crate) fn nodes(record: &ContainerRecord) -> Result<Vec<oci::LinuxDevice>, EngineError> {
    let mut wanted = record.spec.devices.clone();
    if record.spec.privileged {
        wanted.extend(of_host(Path::new("/dev"), 0));
    }
    let make = |d: &DeviceRequest| {
        let (typ, major, minor) = node(&d.host)?;
        let mode = rustix::fs::stat(&d.host).map_or(0o600, |s| s.st_mode & 0o7777);
        let built = oci::LinuxDeviceBuilder::default().path(&d.container).typ(typ).major(major).minor(minor);
        built.file_mode(mode).build().map_err(super::bad)
    };
    wanted.iter().map(make).collect()
}

/// Device nodes under the host's `/dev`, without ptys and what a container has of its own.
fn of_host(dir: &Path, depth: u32) -> Vec<DeviceRequest> {
    const OWN: [&str; 12] =
        ["pts", "shm", "mqueue", "fd", "stdin", "stdout", "stderr", "console", "ptmx", "null", "zero", "full"];
    const ALSO_OWN: [&str; 3] = ["random", "urandom", "tty"];
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let name = entry.file_name();
        if OWN.iter().chain(&ALSO_OWN).any(|o| name == *o) {
            continue;
        }
        let path = entry.path();
        if kind.is_dir() && depth < 3 {
            found.extend(of_host(&path, depth + 1));
        } else if !kind.is_dir() && !kind.is_symlink() {
            let path = path.display().to_string();
            if node(&path).is_ok() {
                found.push(DeviceRequest { host: path.clone(), container: path, permissions: "rwm".to_owned() });
            }
        }
    }
    found
}

fn node(path: &str) -> Result<(oci::LinuxDeviceType, i64, i64), EngineError> {
    let stat = rustix::fs::stat(path)
        .map_err(|e| EngineError::invalid(format!("error gathering device information for {path}: {e}")))?;
    let typ = match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
        rustix::fs::FileType::CharacterDevice => oci::LinuxDeviceType::C,
        rustix::fs::FileType::BlockDevice => oci::LinuxDeviceType::B,
        _ => return Err(EngineError::invalid(format!("{path}: not a device node"))),
    };
    Ok((typ, rustix::fs::major(stat.st_rdev).into(), rustix::fs::minor(stat.st_rdev).into()))
}
