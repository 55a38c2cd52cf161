//! The daemon, or a part of it, is killed: containers run on, the next daemon finds them, nothing is left over.

use anyhow::Result;
use davit_e2e::World;
use davit_fixtures::process::until;
use std::time::Duration;

#[test]
fn containers_outlive_the_daemon_and_the_next_one_finds_them() -> Result<()> {
    let mut world = World::start()?;
    world.pull()?;
    let script = "i=0; while :; do echo line$i; i=$((i+1)); sleep 0.1; done";
    world.davit(&["run", "-d", "--name", "on", "IMAGE", "sh", "-c", script])?.success()?;
    world.davit(&["run", "-d", "--name", "ends", "IMAGE", "sh", "-c", "sleep 1; exit 3"])?.success()?;
    let pid = world.davit(&["inspect", "-f", "{{.State.Pid}}", "on"])?.success()?.out().to_owned();
    world.daemon.kill()?;
    std::thread::sleep(Duration::from_secs(2));
    world.daemon.launch()?;
    let again = world.davit(&["inspect", "-f", "{{.State.Pid}} {{.State.Status}}", "on"])?.success()?;
    assert_eq!(again.out(), format!("{pid} running"));
    let ended = world.davit(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "ends"])?.success()?;
    assert_eq!(ended.out(), "exited 3", "it ended while no daemon was there");
    assert_eq!(world.davit(&["exec", "on", "echo", "in"])?.success()?.out(), "in");
    world.davit(&["stop", "-t", "0", "on"])?.success()?;
    let log = world.davit(&["logs", "on"])?.success()?.stdout;
    for (i, line) in log.lines().enumerate() {
        assert_eq!(line, format!("line{i}"), "no line is lost or doubled");
    }
    assert!(log.lines().count() > 15, "it went on writing: {}", log.lines().count());
    world.daemon.finish()
}

#[test]
fn a_container_that_removes_itself_does_so_at_the_next_start() -> Result<()> {
    let mut world = World::start()?;
    world.pull()?;
    world.davit(&["run", "-d", "--rm", "--name", "gone", "IMAGE", "sleep", "1"])?.success()?;
    world.daemon.kill()?;
    std::thread::sleep(Duration::from_secs(2));
    world.daemon.launch()?;
    until(Duration::from_secs(10), "it is removed", || {
        Ok((world.davit(&["ps", "-aq"])?.success()?.out().is_empty()).then_some(()))
    })?;
    world.daemon.finish()
}
