//! An OCI bundle for the runtimes: the peers' own default configuration with `true` in it, and busybox's files.

use super::start::APPLETS;
use crate::peers::Room;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

/// The control group that all runtimes are told to make beneath the root.
pub(super) const GROUP: &str = "davit-bench";

/// Makes it as `bundle` in `shared`.
pub(super) fn make(room: &Room, shared: &Path) -> Result<()> {
    let bundle = shared.join("bundle");
    let bin = bundle.join("rootfs/bin");
    fs::create_dir_all(&bin)?;
    for folder in ["proc", "dev", "sys", "etc", "tmp"] {
        fs::create_dir_all(bundle.join("rootfs").join(folder))?;
    }
    fs::copy("/bin/busybox", bin.join("busybox")).context("cannot copy busybox, of Debian's busybox-static")?;
    fs::set_permissions(bin.join("busybox"), fs::Permissions::from_mode(0o755))?;
    for applet in APPLETS {
        symlink("busybox", bin.join(applet))?;
    }
    let made = room.within(|| Ok(Room::command(&["runc", "spec", "--bundle", "/bench/bundle"]).output()?))?;
    ensure!(made.status.success(), "runc spec: {}", String::from_utf8_lossy(&made.stderr).trim());
    let path = bundle.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path)?).context("runc's default configuration")?;
    let process = config.get_mut("process").and_then(Value::as_object_mut).context("it has no process")?;
    process.insert("terminal".to_owned(), json!(false));
    process.insert("args".to_owned(), json!(["true"]));
    let linux = config.get_mut("linux").and_then(Value::as_object_mut).context("it is not for Linux")?;
    linux.insert("cgroupsPath".to_owned(), json!(format!("/{GROUP}/run")));
    // The same rules for all: what each adds to a list of its own accord differs.
    linux.insert("resources".to_owned(), json!({ "devices": rules() }));
    fs::write(&path, serde_json::to_vec(&config)?)?;
    Ok(())
}

/// Docker's rules: all nodes may be made, and the harmless ones of them used.
fn rules() -> Vec<Value> {
    let all = json!({ "allow": false, "access": "rwm" });
    let made = ["b", "c"].map(|kind| json!({ "allow": true, "type": kind, "access": "m" }));
    // null, zero, full, random, urandom; tty, console, ptmx
    let used = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)]
        .map(|(major, minor)| json!({ "allow": true, "type": "c", "major": major, "minor": minor, "access": "rwm" }));
    let terminals = json!({ "allow": true, "type": "c", "major": 136, "access": "rwm" });
    [all].into_iter().chain(made).chain(used).chain([terminals]).collect()
}
