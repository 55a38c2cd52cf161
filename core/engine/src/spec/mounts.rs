//! What is mounted over a container's root: the kernel's file systems, the engine's files, and what was asked for.

use crate::{EngineError, record::ContainerRecord};
use davit_model::container::MountSource;
use oci_spec::runtime::{Mount, MountBuilder};
use std::path::Path;

/// All mounts, in the order they are made: a parent before what is on it.
pub(crate) fn all(record: &ContainerRecord, files: &Path) -> Result<Vec<Mount>, EngineError> {
    let spec = &record.spec;
    let shm = format!("size={}", spec.shm_size.unwrap_or(64 * 1024 * 1024));
    let sys = if spec.privileged { "rw" } else { "ro" };
    let mut mounts = vec![
        kernel("proc", "/proc", &["nosuid", "noexec", "nodev"])?,
        kernel("tmpfs", "/dev", &["nosuid", "strictatime", "mode=755", "size=65536k"])?,
        kernel("devpts", "/dev/pts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"])?,
        kernel("sysfs", "/sys", &["nosuid", "noexec", "nodev", sys])?,
        kernel("cgroup", "/sys/fs/cgroup", &["nosuid", "noexec", "nodev", sys])?,
        kernel("mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"])?,
    ];
    if !spec.host_namespaces.iter().any(|n| n == "ipc") {
        mounts.push(kernel("tmpfs", "/dev/shm", &["nosuid", "noexec", "nodev", "mode=1777", &shm])?);
    } else {
        mounts.push(bind("/dev/shm", "/dev/shm", false, "rprivate")?);
    }
    let taken = |target: &str| record.mounts.iter().any(|m| m.target == target);
    for (name, target) in [("resolv.conf", "/etc/resolv.conf"), ("hostname", "/etc/hostname"), ("hosts", "/etc/hosts")]
    {
        if !taken(target) {
            let source = files.join(name);
            mounts.push(bind(&source.display().to_string(), target, false, "rprivate")?);
        }
    }
    let mut asked = Vec::new();
    for (target, options) in &spec.tmpfs {
        asked.push(tmpfs(target, options)?);
    }
    for (mount, request) in record.mounts.iter().map(|m| (m, spec.mounts.iter().find(|r| same(&r.target, &m.target)))) {
        asked.push(match (mount.kind.as_str(), request.map(|r| &r.source)) {
            ("tmpfs", Some(MountSource::Tmpfs { size, mode })) => {
                let size = size.map(|s| format!("size={s}"));
                let mode = format!("mode={:o}", mode.unwrap_or(0o1777) & 0o7777);
                let options = ["nosuid", "nodev", "noexec", &mode].into_iter().chain(size.as_deref());
                kernel("tmpfs", &mount.target, &options.collect::<Vec<_>>())?
            }
            _ => bind(&mount.source, &mount.target, mount.read_only, &mount.propagation)?,
        });
    }
    asked.sort_by_key(|m| m.destination().components().count());
    mounts.extend(asked);
    Ok(mounts)
}

fn same(a: &str, b: &str) -> bool {
    let parts = |p: &str| p.split('/').filter(|c| !c.is_empty() && *c != ".").map(str::to_owned).collect::<Vec<_>>();
    parts(a) == parts(b)
}

fn kernel(kind: &str, target: &str, options: &[&str]) -> Result<Mount, EngineError> {
    MountBuilder::default()
        .destination(target)
        .typ(kind)
        .source(kind)
        .options(options.iter().map(|o| o.to_string()).collect::<Vec<_>>())
        .build()
        .map_err(super::bad)
}

fn bind(source: &str, target: &str, read_only: bool, propagation: &str) -> Result<Mount, EngineError> {
    let propagation = match propagation {
        "" => "rprivate",
        known @ ("private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave") => known,
        other => return Err(EngineError::invalid(format!("invalid propagation mode: {other}"))),
    };
    let access = if read_only { "ro" } else { "rw" };
    MountBuilder::default()
        .destination(target)
        .typ("bind")
        .source(source)
        .options(vec!["rbind".to_owned(), access.to_owned(), propagation.to_owned()])
        .build()
        .map_err(super::bad)
}

/// `--tmpfs PATH:OPTIONS`: each option is one that tmpfs has, with a value of its kind.
fn tmpfs(target: &str, options: &str) -> Result<Mount, EngineError> {
    if !target.starts_with('/') {
        return Err(EngineError::invalid(format!("invalid tmpfs target {target:?}: it must be an absolute path")));
    }
    let mut checked = vec!["nosuid", "nodev", "noexec"];
    for option in options.split(',').filter(|o| !o.is_empty()) {
        let number = |v: &str| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit());
        let size = |v: &str| number(v.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G', '%']).unwrap_or(v));
        let fine = match option.split_once('=') {
            Some(("size" | "nr_inodes" | "nr_blocks", v)) => size(v),
            Some(("mode", v)) => number(v) && u32::from_str_radix(v, 8).is_ok(),
            Some(("uid" | "gid", v)) => number(v),
            None => matches!(
                option,
                "rw" | "ro"
                    | "exec"
                    | "noexec"
                    | "suid"
                    | "nosuid"
                    | "dev"
                    | "nodev"
                    | "noatime"
                    | "relatime"
                    | "strictatime"
            ),
            _ => false,
        };
        if !fine {
            return Err(EngineError::invalid(format!("invalid tmpfs option {option:?}")));
        }
        // The opposite of a default takes its place.
        let opposite = option.strip_prefix("no").map_or_else(|| format!("no{option}"), str::to_owned);
        checked.retain(|o| *o != opposite && *o != option);
        checked.push(option);
    }
    kernel("tmpfs", target, &checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tmpfs_options_are_checked_one_by_one() {
        let options = |o: &str| tmpfs("/t", o).map(|m| m.options().clone().unwrap_or_default().join(","));
        assert_eq!(options("size=64m,exec,mode=700").unwrap(), "nosuid,nodev,size=64m,exec,mode=700");
        for bad in ["size=x", "mode=9", "context=a", "size=1,upperdir=/etc", "uid=-1"] {
            assert!(options(bad).is_err(), "{bad}");
        }
    }
}
