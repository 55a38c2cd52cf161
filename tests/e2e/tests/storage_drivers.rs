//! One image on every storage driver that needs something of the machine: btrfs on a btrfs of its own, erofs with its
//! writer. What a container sees, writes and leaves is the same as with any other.
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{Done, run};
use davit_fixtures::{
    daemon::Daemon,
    disk::SmallDisk,
    image::{self, Config},
    process::{self, until},
    registry::Registry,
};
use std::{fs, path::Path, process::Command, time::Duration};
use tempfile::TempDir;

/// How long anything may take.
const SOON: Duration = Duration::from_secs(20);

/// The shipped choices, with another storage driver.
fn site(driver: &str) -> String {
    format!(
        "[storage]\ndriver = \"{driver}\"\n\n[[auth]]\npattern = \"*\"\nplugin = \"docker-config\"\n\n\
         [network]\ndefault = \"bridge\"\ndrivers = [\"bridge\", \"host\", \"none\"]\n\
         pool = [{{ base = \"172.30.0.0/16\", size = 24 }}]\n"
    )
}

/// A registry with an image, and a daemon with one driver; dropped in this order.
struct World {
    daemon: Daemon,
    disk: Option<SmallDisk>,
    image: String,
    dir: TempDir,
    _registry: Registry,
}

/// Whether the kernel has a file system; asking loads its module.
fn kernel_has(name: &str) -> Result<bool> {
    // Where there is no such module, the list says so.
    let _ = Command::new("modprobe").args(["-q", name]).status();
    let known = fs::read_to_string("/proc/filesystems")?;
    Ok(known.lines().any(|line| line.split_whitespace().next_back() == Some(name)))
}

impl World {
    /// None where this kernel lacks the file system, which is said.
    fn with(driver: &str) -> Result<Option<Self>> {
        if !kernel_has(driver)? {
            eprintln!("skipped: /proc/filesystems has no {driver}");
            return Ok(None);
        }
        let dir = tempfile::tempdir()?;
        let registry = Registry::start(dir.path(), None)?;
        let image = format!("{}/test/busybox:1", registry.host);
        image::make(&dir.path().join("busybox"), &Config::shell())?.push(&image, None)?;
        let disk = match driver {
            "btrfs" => Some(SmallDisk::mount_btrfs(dir.path(), 400 << 20)?),
            _ => None,
        };
        let parent = disk.as_ref().map_or(dir.path(), SmallDisk::path);
        let daemon = Daemon::beneath_with_site(parent, &site(driver))?;
        Ok(Some(Self { daemon, disk, image, dir, _registry: registry }))
    }

    fn davit(&self, args: &[&str]) -> Result<Done> {
        let mut davit = self.daemon.davit();
        davit.args(args.iter().map(|a| if *a == "IMAGE" { self.image.as_str() } else { a }));
        run(davit, None)
    }

    /// What is in the driver's area: the places of its layers and roots.
    fn places(&self, driver: &str) -> Result<Vec<String>> {
        let entries = fs::read_dir(self.daemon.data_root().join("areas").join(driver))?;
        let names = entries.map(|e| Ok(e?.file_name().to_string_lossy().into_owned()));
        let mut names = names.collect::<Result<Vec<_>>>()?;
        names.retain(|name| name != ".trash");
        names.sort();
        Ok(names)
    }

    fn finish(self) -> Result<()> {
        self.daemon.finish()?;
        self.disk.map_or(Ok(()), SmallDisk::unmount)
    }
}

/// Pulled, run, written to, stopped, started, built on, removed.
fn whole_life(world: &mut World, driver: &str, root: &str) -> Result<()> {
    world.davit(&["pull", "-q", "IMAGE"])?.success()?;
    let mounts = format!("grep -c ' / {root} ' /proc/mounts");
    let script =
        format!("cat /www/index.html; echo new > /www/index.html; rm /etc/passwd; mkdir /d; {mounts}; sleep 300");
    world.davit(&["run", "-d", "--name", "one", "IMAGE", "sh", "-c", &script])?.success()?;
    until(
        SOON,
        "it has written",
        || Ok((world.davit(&["logs", "one"])?.out() == "hello from davit\n1").then_some(())),
    )?;
    let seen = ["exec", "one", "sh", "-c", "cat /www/index.html; ls -d /etc/passwd /d 2>/dev/null"];
    ensure!(world.davit(&seen)?.out() == "new\n/d");
    let name = world.davit(&["inspect", "-f", "{{.GraphDriver.Name}}", "one"])?.success()?;
    ensure!(name.out() == driver, "{name:?}");
    let clean = world.davit(&["run", "--rm", "IMAGE", "sh", "-c", "cat /www/index.html; ls /d 2>/dev/null; true"])?;
    ensure!(clean.success()?.out() == "hello from davit", "a container's changes are its own");

    // A kill of the daemon, and a restart of the container on the root that it has.
    world.daemon.kill()?;
    world.daemon.launch()?;
    world.davit(&["stop", "-t", "0", "one"])?.success()?;
    world.davit(&["start", "one"])?.success()?;
    ensure!(world.davit(&["exec", "one", "ls", "-d", "/d"])?.success()?.out() == "/d", "what it wrote is there");

    build_on_it(world)?;
    world.davit(&["rm", "-f", "one"])?.success()?;
    // The root goes off the client's path.
    until(SOON, "only layers are left", || {
        let left = world.places(driver)?;
        Ok((!left.is_empty() && left.iter().all(|p| p.starts_with("s-") || p.starts_with("i-"))).then_some(()))
    })?;
    world.davit(&["rmi", "built:1"])?.success()?;
    world.davit(&["rmi", "IMAGE"])?.success()?;
    until(SOON, "the layers are gone", || {
        world.davit(&["image", "prune", "-f"])?.success()?;
        Ok(world.places(driver)?.is_empty().then_some(()))
    })
}

fn build_on_it(world: &World) -> Result<()> {
    let context = world.dir.path().join("context");
    fs::create_dir(&context)?;
    fs::write(context.join("motd"), "built\n")?;
    fs::write(context.join("Dockerfile"), format!("FROM {}\nCOPY motd /www/index.html\n", world.image))?;
    let folder = context.to_str().context("a path in UTF-8")?;
    world.davit(&["build", "-q", "-t", "built:1", folder])?.success()?;
    let done =
        world.davit(&["run", "--rm", "built:1", "sh", "-c", "cat /www/index.html; ls /etc/passwd"])?.success()?;
    ensure!(done.out() == "built\n/etc/passwd", "{done:?}");
    Ok(())
}

#[test]
fn containers_live_on_snapshots_of_a_btrfs() -> Result<()> {
    let Some(mut world) = World::with("btrfs")? else { return Ok(()) };
    whole_life(&mut world, "btrfs", "btrfs")?;
    let disk = world.disk.as_ref().context("it has a disk")?.path().to_owned();
    ensure!(subvolumes(&disk)?.is_empty(), "{:?}", subvolumes(&disk)?);
    world.finish()
}

#[test]
fn a_subvolume_that_a_container_made_goes_with_it() -> Result<()> {
    let Some(world) = World::with("btrfs")? else { return Ok(()) };
    world.davit(&["run", "-d", "--name", "one", "IMAGE", "sleep", "300"])?.success()?;
    let disk = world.disk.as_ref().context("it has a disk")?.path().to_owned();
    let root = subvolumes(&disk)?.into_iter().find(|s| s.contains("/r-")).context("its root is a subvolume")?;
    // As a program in the container would: no right is needed for it.
    let within = disk.join(&root).join("within");
    process::run(Command::new("btrfs").args(["subvolume", "create"]).arg(&within))?;
    fs::write(within.join("file"), "")?;
    world.davit(&["rm", "-f", "one"])?.success()?;
    until(SOON, "the root is gone", || {
        Ok(subvolumes(&disk)?.iter().all(|s| !s.contains("/r-") && !s.contains("trash")).then_some(()))
    })?;
    world.finish()
}

/// The paths of a disk's subvolumes.
fn subvolumes(disk: &Path) -> Result<Vec<String>> {
    let list = Command::new("btrfs").args(["subvolume", "list"]).arg(disk).output()?;
    ensure!(list.status.success(), "{list:?}");
    let list = String::from_utf8(list.stdout)?;
    Ok(list.lines().filter_map(|line| Some(line.split_once(" path ")?.1.to_owned())).collect())
}

#[test]
fn containers_live_on_overlays_of_erofs_images() -> Result<()> {
    let Some(mut world) = World::with("erofs")? else { return Ok(()) };
    world.davit(&["pull", "-q", "IMAGE"])?.success()?;
    let area = world.daemon.data_root().join("areas/erofs");
    for place in world.places("erofs")? {
        ensure!(fs::metadata(area.join(&place))?.is_file(), "{place} is an image");
    }
    whole_life(&mut world, "erofs", "overlay")?;
    world.finish()
}
