//! A kernel that lacks something: what is asked for explicitly is refused, a default goes on with one warning and a line
//! in `info`.

use anyhow::{Result, ensure};
use davit_e2e::davit;
use davit_fixtures::{
    daemon::Daemon,
    image::{self, Config},
    registry::Registry,
};
use std::path::Path;

/// The controllers that are mounted on their own (control groups v1), hidden from the daemon one by one.
#[test]
#[allow(clippy::print_stderr, reason = "what is skipped is said")]
fn a_limit_without_its_controller_is_refused_and_everything_else_runs() -> Result<()> {
    let hidden = [("pids", "--pids-limit=50", "pids"), ("memory", "--memory=64m", "memory")];
    let here = hidden.iter().filter(|(name, ..)| Path::new("/sys/fs/cgroup").join(name).join("tasks").exists());
    let here: Vec<_> = here.collect();
    if here.is_empty() {
        eprintln!("skipped: /sys/fs/cgroup has no controller mounted on its own, so none can be hidden");
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let registry = Registry::start(dir.path(), None)?;
    let busybox = format!("{}/test/busybox:1", registry.host);
    image::make(&dir.path().join("image"), &Config::shell())?.push(&busybox, None)?;
    for (name, flag, word) in here {
        let daemon = Daemon::without(&[&format!("/sys/fs/cgroup/{name}")])?;
        davit(&daemon, &["pull", "-q", &busybox])?.success()?;
        let done = davit(&daemon, &["run", "--rm", flag, &busybox, "true"])?;
        ensure!(done.code == 125, "{done:?}");
        ensure!(done.stderr.trim().lines().count() == 1, "{done:?}");
        ensure!(done.stderr.contains("cannot be limited on this machine"), "{done:?}");
        ensure!(davit(&daemon, &["ps", "-aq"])?.success()?.out().is_empty(), "a container is left");
        let done = davit(&daemon, &["run", "--rm", &busybox, "echo", "it runs"])?.success()?;
        ensure!(done.out() == "it runs", "{done:?}");
        let info = davit(&daemon, &["info"])?.success()?;
        let warned = format!("No {word} limit support");
        ensure!(format!("{}{}", info.stdout, info.stderr).contains(&warned), "{warned} is not said: {info:?}");
        daemon.finish()?;
    }
    Ok(())
}
