//! A full disk: a small file system of its own as the daemon's data root.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{Done, run};
use davit_fixtures::{
    daemon::Daemon,
    disk::SmallDisk,
    image::{self, Config},
    process::until,
    registry::Registry,
};
use std::{path::Path, time::Duration};
use tempfile::TempDir;

/// A registry with a small image and one that does not fit, and a daemon on a small disk; dropped in this order.
struct World {
    daemon: Daemon,
    disk: SmallDisk,
    small: String,
    large: String,
    _registry: Registry,
    _dir: TempDir,
}

fn world() -> Result<World> {
    let dir = tempfile::tempdir()?;
    let registry = Registry::start(dir.path(), None)?;
    let (small, large) = (format!("{}/test/small:1", registry.host), format!("{}/test/large:1", registry.host));
    image::make(&dir.path().join("small"), &Config::shell())?.push(&small, None)?;
    image::make_with_ballast(&dir.path().join("large"), &Config::shell(), 40 << 20)?.push(&large, None)?;
    let disk = SmallDisk::mount(dir.path(), 24 << 20)?;
    let daemon = Daemon::beneath(disk.path())?;
    Ok(World { daemon, disk, small, large, _registry: registry, _dir: dir })
}

impl World {
    fn davit(&self, args: &[&str]) -> Result<Done> {
        let mut davit = self.daemon.davit();
        davit.args(args);
        run(davit, None)
    }

    /// One clear line, Docker's exit code, and neither image nor container.
    fn refused(&self, done: &Done, code: i32) -> Result<()> {
        ensure!(done.code == code, "{done:?}");
        let line = done.stderr.lines().last().context("it says nothing")?;
        ensure!(line.to_lowercase().contains("no space left on"), "{line}");
        ensure!(self.davit(&["ps", "-aq"])?.success()?.out().is_empty(), "a container is left");
        Ok(())
    }

    fn finish(self) -> Result<()> {
        self.daemon.finish()?;
        self.disk.unmount()
    }
}

fn free(path: &Path) -> Result<u64> {
    let stat = nix::sys::statvfs::statvfs(path)?;
    Ok(stat.blocks_available() * stat.fragment_size())
}

#[test]
fn an_image_that_does_not_fit_is_refused_and_gives_its_room_back() -> Result<()> {
    let world = world()?;
    let before = free(world.disk.path())?;
    let done = world.davit(&["pull", &world.large])?;
    world.refused(&done, 1)?;
    ensure!(world.davit(&["images", "-q"])?.success()?.out().is_empty(), "there is half an image");
    ensure!(done.stderr.contains("free some space and try again"), "it does not say what to do: {done:?}");
    let after = free(world.disk.path())?;
    ensure!(after + (1 << 20) > before, "{before} bytes were free, and now {after}");
    let left = std::fs::read_dir(world.daemon.data_root().join("content/ingest"))?.count();
    ensure!(left == 0, "{left} blobs in flight are left");
    world.davit(&["pull", &world.small])?.success()?;
    let done = world.davit(&["run", "--rm", &world.small, "echo", "it works"])?.success()?;
    ensure!(done.out() == "it works", "{done:?}");
    world.finish()
}

#[test]
fn a_container_meets_the_end_of_the_disk_itself_and_harms_nobody() -> Result<()> {
    let world = world()?;
    world.davit(&["pull", &world.small])?.success()?;
    let script = "dd if=/dev/zero of=/big bs=1M count=100 2>/dev/null; echo status $?";
    let done = world.davit(&["run", "--rm", &world.small, "sh", "-c", script])?.success()?;
    ensure!(done.out() == "status 1", "{done:?}");
    // Removed with its changes, it has given the room back.
    let done = world.davit(&["run", "--rm", &world.small, "sh", "-c", "dd if=/dev/zero of=/some bs=1M count=4"])?;
    ensure!(done.code == 0, "{done:?}");
    world.finish()
}

#[test]
fn nothing_is_created_on_a_full_disk_and_all_is_well_once_there_is_room() -> Result<()> {
    let world = world()?;
    world.davit(&["pull", &world.small])?.success()?;
    world.davit(&["run", "--rm", &world.small, "true"])?.success()?;
    let ballast = world.disk.fill()?;
    let done = world.davit(&["run", "--rm", &world.small, "true"])?;
    let refused = world.refused(&done, 125);
    std::fs::remove_file(ballast)?;
    refused?;
    world.davit(&["run", "--rm", &world.small, "true"])?.success()?;
    world.finish()
}

#[test]
fn what_fills_the_disk_can_be_removed_even_by_a_daemon_that_was_killed_and_started_again() -> Result<()> {
    let mut world = world()?;
    world.davit(&["pull", &world.small])?.success()?;
    world.davit(&["run", "-d", "--name", "runs", &world.small, "sleep", "1000"])?.success()?;
    world.davit(&["run", "--name", "ended", &world.small, "true"])?.success()?;
    let script = "dd if=/dev/zero of=/big bs=1M 2>/dev/null; dd if=/dev/zero of=/rest bs=1 2>/dev/null; sync";
    let done = world.davit(&["run", "--name", "fills", &world.small, "sh", "-c", script])?;
    ensure!(done.code == 0, "{done:?}");
    ensure!(free(world.disk.path())? < 64 << 10, "{} bytes are free", free(world.disk.path())?);
    world.davit(&["rm", "ended"])?.success()?;
    world.daemon.kill()?;
    world.daemon.launch()?;
    world.davit(&["stop", "-t", "1", "runs"])?.success()?;
    world.davit(&["rm", "runs"])?.success()?;
    world.davit(&["rm", "fills"])?.success()?;
    // Its tree goes in the background.
    until(
        Duration::from_secs(20),
        "the room is given back",
        || Ok((free(world.disk.path())? > 4 << 20).then_some(())),
    )?;
    world.davit(&["rmi", &world.small])?.success()?;
    ensure!(world.davit(&["ps", "-aq"])?.success()?.out().is_empty(), "a container is left");
    world.finish()
}
