//! Containers that are given much: `--privileged` and all capabilities, as far as the daemon has them itself.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::World;
use std::path::Path;

/// What no process here can have more of: the bounding set that the daemon has from this test.
fn bounding() -> Result<String> {
    let status = std::fs::read_to_string("/proc/thread-self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("CapBnd:")).context("no CapBnd")?;
    Ok(line.trim().to_owned())
}

const MOUNTS: &str = "mount -t tmpfs none /tmp && echo here > /tmp/f && cat /tmp/f && umount /tmp && \
                      sed -n 's/^CapEff:.//p' /proc/self/status";

#[test]
fn a_privileged_container_has_what_the_daemon_has_and_sees_the_devices() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let script = format!("{MOUNTS}; ls /dev; test -w /proc/sys/kernel && echo writable");
    let done = world.davit(&["run", "--rm", "--privileged", "IMAGE", "sh", "-c", &script])?.success()?;
    let lines: Vec<&str> = done.out().lines().collect();
    ensure!(lines.starts_with(&["here", &bounding()?]), "{done:?}");
    ensure!(lines.last() == Some(&"writable"), "{done:?}");
    for device in ["kmsg", "loop-control", "fuse"].into_iter().filter(|d| Path::new("/dev").join(d).exists()) {
        ensure!(lines.contains(&device), "there is no /dev/{device}: {done:?}");
    }
    world.davit(&["run", "-d", "--name", "plain", "IMAGE", "sleep", "1000"])?.success()?;
    let done = world.davit(&["exec", "--privileged", "plain", "sh", "-c", MOUNTS])?.success()?;
    ensure!(done.out().lines().eq(["here", &bounding()?]), "{done:?}");
    world.daemon.finish()
}

#[test]
fn all_capabilities_are_those_that_the_daemon_has() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let done = world.davit(&["run", "--rm", "--cap-add", "ALL", "IMAGE", "sh", "-c", MOUNTS])?.success()?;
    ensure!(done.out().lines().eq(["here", &bounding()?]), "{done:?}");
    let but_one = ["run", "--rm", "--cap-add", "ALL", "--cap-drop", "SYS_ADMIN", "IMAGE", "sh", "-c"];
    let refused = world.davit(&[&but_one[..], &["mount -t tmpfs none /tmp"]].concat())?;
    ensure!(refused.code != 0 && refused.stderr.contains("ermi"), "{refused:?}");
    world.daemon.finish()
}
