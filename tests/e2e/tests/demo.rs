//! The demo as a new user sees it, on programs that are built: whole, and interrupted.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::run;
use davit_fixtures::{
    daemon::programs,
    process::{Running, until},
};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{fs, os::unix::process::CommandExt as _, path::Path, process::Command, time::Duration};

fn demo(temporary: &Path) -> Command {
    let mut demo = Command::new(programs().join("xtask"));
    demo.arg("demo").arg("--built").arg(programs().join("site-login.wasm")).env("TMPDIR", temporary);
    demo
}

fn is_empty(dir: &Path) -> Result<bool> {
    Ok(fs::read_dir(dir)?.next().is_none())
}

#[test]
fn the_demo_does_the_whole_job_twice_and_leaves_nothing() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let done = run(demo(dir.path()), None)?;
    ensure!(done.code == 0, "{done:?}");
    let (_, summary) = done.stdout.split_once("\nDone:\n").context("it does not say what it did")?;
    for said in ["it is pushed to", "layers by overlay", "davit reload", "layers by vfs", "the daemon has ended"] {
        ensure!(summary.contains(said), "{said} is not among what it did:\n{summary}");
    }
    ensure!(is_empty(dir.path())?, "files are left");
    Ok(())
}

/// A terminal's Ctrl-C goes to everybody in the foreground group at once; `kill` to one.
#[test]
fn an_interrupted_demo_leaves_nothing() -> Result<()> {
    for (at, everybody) in [("a daemon on roots of its own", true), ("davit run: pulled", true), ("davit stop", false)]
    {
        let dir = tempfile::tempdir()?;
        let (temporary, log) = (dir.path().join("tmp"), dir.path().join("log"));
        fs::create_dir(&temporary)?;
        let mut running = Running::start(demo(&temporary).process_group(0), &log)?;
        until(Duration::from_secs(60), at, || {
            ensure!(running.alive(), "it ended before: {}", fs::read_to_string(&log)?);
            Ok(fs::read_to_string(&log)?.contains(at).then_some(()))
        })?;
        match everybody {
            true => killpg(Pid::from_raw(running.pid()), Signal::SIGINT)?,
            false => running.signal(Signal::SIGINT)?,
        }
        running.wait(Duration::from_secs(30))?;
        let said = fs::read_to_string(&log)?;
        // Said after it looked for mounts, links, tables, control groups and processes, and found none.
        ensure!(said.contains("ended by a signal; everything is removed"), "interrupted at {at:?}: {said}");
        ensure!(is_empty(&temporary)?, "files are left");
    }
    Ok(())
}
