//! A whole daemon is killed at every one of its fault points (`davit_sys::fault`): between any two things that last, in
//! everything that it does to containers, images, networks and volumes, and in the recovery that follows. Each time the
//! next daemon must have lost nothing and leaked nothing, and the next run must work.
//!
//! Nobody keeps a list of points: a scenario is killed at its first, its second, … until it lives through. In the end the
//! names of all points where a daemon was killed are held against those in the sources, so that a point which no scenario
//! reaches is a failure, too. The n-th kill is followed by another in the recovery; which of its points that is goes round.
//! `DAVIT_TEST_LONG=1` kills at every point instead of once between each two names, command by command.

mod scenario;
mod snapshot;

use anyhow::{Context as _, Result, ensure};
use scenario::{SCENARIOS, Trial};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// What the overlay driver of these scenarios does not do: it takes a disk of btrfs, a driver of images, a kernel with quotas.
/// The store's own tests kill at each of these (`a_kill_at_any_step_with_…`).
const OF_OTHER_DRIVERS: [&str; 3] = ["store.image", "store.quota-marked", "store.snapshot"];

#[test]
fn a_daemon_that_is_killed_at_any_of_its_fault_points_leaves_nothing_that_the_next_does_not_settle() -> Result<()> {
    let waiting = Mutex::new(SCENARIOS.iter().rev().collect::<Vec<_>>());
    let killed_at = Mutex::new(BTreeSet::new());
    let work = || -> Result<()> {
        while let Some(scenario) = waiting.lock().ok().and_then(|mut w| w.pop()) {
            let trial = Trial::start(scenario)?;
            let points = trial.kill_at_each()?;
            if let Ok(mut all) = killed_at.lock() {
                all.extend(points);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mine = work();
        let other = other.join().map_err(|_| anyhow::anyhow!("a scenario panicked"))?;
        mine.and(other)
    })?;
    let killed_at = killed_at.into_inner().unwrap_or_default();
    let points = points_in_the_sources()?;
    let unknown: Vec<&str> = OF_OTHER_DRIVERS.into_iter().filter(|p| !points.contains(*p)).collect();
    ensure!(unknown.is_empty(), "there are no fault points {unknown:?} any more");
    let reached = |p: &String| killed_at.contains(p) || OF_OTHER_DRIVERS.contains(&p.as_str());
    let missed: Vec<String> = points.into_iter().filter(|p| !reached(p)).collect();
    ensure!(missed.is_empty(), "no scenario brings a daemon to its fault points {missed:?}");
    Ok(())
}

/// The names of all fault points of the daemon's crates.
fn points_in_the_sources() -> Result<BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the workspace")?;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root.join("core"))? {
        sources(&entry?.path().join("src"), &mut files)?;
    }
    let mut names = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let calls = text.split("point(\"").skip(1);
        names.extend(calls.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
    ensure!(names.len() > 15, "the fault points were found: {names:?}");
    Ok(names)
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|x| x == "rs") {
            found.push(path);
        }
    }
    Ok(())
}
