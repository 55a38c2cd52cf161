//! A storage driver that cannot work on this machine is not put in force, whoever brings it: a reload, a look at the file,
//! an upgrade. One that leaves the site leaves nothing behind.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{
    Done, World,
    plugin::{embed, refused, show, validate},
};
use davit_fixtures::{daemon::Daemon, process::until};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

fn site(driver: &str) -> String {
    format!(
        "[storage]\ndriver = \"{driver}\"\n[[auth]]\npattern = \"*\"\nplugin = \"docker-config\"\n[network]\n\
         default = \"none\"\ndrivers = [\"none\"]\n"
    )
}

fn says(daemon: &Daemon, driver: &str) -> Result<()> {
    Ok(fs::write(daemon.site_file().context("the site has a file")?, site(driver))?)
}

/// The daemon's own look at such a file.
fn look(daemon: &Daemon, driver: &str) -> Result<Done> {
    says(daemon, driver)?;
    validate(daemon)
}

/// What `btrfs` says of a data root on anything else.
const NOT_HERE: &str = "the data root is on no btrfs";

#[test]
fn a_driver_that_cannot_work_here_is_refused_at_reload_at_a_look_at_the_file_and_at_the_start() -> Result<()> {
    let mut world = World::with_site(Some(&site("vfs")))?;
    world.pull()?;
    says(&world.daemon, "btrfs")?;
    refused(&world.davit(&["reload"])?, &["plugin btrfs", NOT_HERE])?;
    world.davit(&["run", "--rm", "IMAGE", "true"])?.success()?;
    world.daemon.stop()?;
    refused(&look(&world.daemon, "btrfs")?, &["plugin btrfs", NOT_HERE])?;
    let start = world.daemon.launch().err().map(|e| format!("{e:#}")).unwrap_or_default();
    ensure!(start.contains(NOT_HERE), "the daemon says why it does not start: {start}");
    look(&world.daemon, "vfs")?.success()?;
    world.daemon.launch()?;
    let left = world.daemon.data_root().join("areas/btrfs");
    ensure!(!left.exists(), "{} was made for nothing", left.display());
    world.daemon.finish()
}

/// A shipped driver as a version of the site's own `mystore`.
fn mystore(world: &World, dir: &Path, shipped: &str, version: &str) -> Result<PathBuf> {
    let manifest = format!("[plugin]\nname = \"mystore\"\nversion = \"{version}\"\n");
    embed(&world.daemon, dir, shipped, &manifest, &format!("mystore-{version}.wasm"))
}

#[test]
fn an_upgrade_of_the_sites_driver_that_cannot_work_here_is_rolled_back_and_what_it_left_goes_with_its_last_image()
-> Result<()> {
    let world = World::with_site(Some(&site("vfs")))?;
    let dir = tempfile::tempdir()?;
    world.davit(&["plugin", "install", "-y", show(&mystore(&world, dir.path(), "vfs", "1.0")?)])?.success()?;
    says(&world.daemon, "mystore")?;
    world.davit(&["reload"])?.success()?;
    world.pull()?;
    world.davit(&["run", "--name", "kept", "IMAGE", "true"])?.success()?;

    let upgrade =
        world.davit(&["plugin", "upgrade", "mystore", show(&mystore(&world, dir.path(), "btrfs", "2.0")?)])?;
    refused(&upgrade, &["mystore stays at 1.0", "rolled back", NOT_HERE])?;
    let shown = world.davit(&["plugin", "inspect", "-f", "{{.Version}} {{.Failure.Reason}}", "mystore"])?.success()?;
    ensure!(shown.out().starts_with("1.0 ") && shown.out().contains(NOT_HERE), "{shown:?}");
    world.davit(&["run", "--rm", "IMAGE", "true"])?.success()?;

    // Out of the site's file, it is still what a container stands on.
    says(&world.daemon, "vfs")?;
    world.davit(&["reload"])?.success()?;
    for verb in ["disable", "rm"] {
        refused(&world.davit(&["plugin", verb, "mystore"])?, &["container kept", "layers of images", "image prune"])?;
    }
    world.davit(&["rm", "kept"])?.success()?;
    for image in world.davit(&["images", "-q"])?.success()?.out().lines() {
        world.davit(&["rmi", image])?.success()?;
    }
    world.davit(&["image", "prune", "-f"])?.success()?;
    let area = world.daemon.data_root().join("areas/mystore");
    until(Duration::from_secs(20), "what the driver kept is gone", || {
        let left = fs::read_dir(&area)?.filter_map(Result::ok).filter(|e| e.file_name() != ".trash").count();
        Ok((left == 0).then_some(()))
    })?;
    world.davit(&["plugin", "rm", "mystore"])?.success()?;
    world.daemon.finish()
}
