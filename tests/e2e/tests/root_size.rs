//! What a container may write is limited where the site says so and the file system has project quotas. This machine's
//! kernel may have none: `cargo xtask test-v2` runs this on one that does.
#![allow(clippy::print_stdout, reason = "what a test skips is said to whoever runs it")]

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{Done, davit};
use davit_fixtures::{daemon::Daemon, disk::SmallDisk, image::busybox};
use std::{fs, path::Path};

const SITE: &str = r#"[storage]
driver = "overlay"
[[auth]]
pattern = "*"
plugin = "docker-config"
[network]
default = "none"
drivers = ["none"]
[plugins.overlay.config]
size = "8MiB"
"#;

/// An image of busybox, made without a registry.
fn image(daemon: &Daemon, dir: &Path) -> Result<()> {
    fs::copy(busybox()?, dir.join("busybox"))?;
    fs::write(dir.join("Dockerfile"), "FROM scratch\nCOPY --chmod=755 busybox /bin/\n")?;
    let folder = dir.to_str().context("a path in UTF-8")?;
    davit(daemon, &["build", "-q", "-t", "limited:1", folder])?.success().map(drop)
}

/// Writes so many mebibytes in a new container, made with these flags.
fn writes(daemon: &Daemon, mebibytes: u32, flags: &[&str]) -> Result<Done> {
    let script = format!("/bin/busybox dd if=/dev/zero of=/data bs=1M count={mebibytes} && /bin/busybox sync");
    let words = ["limited:1", "/bin/busybox", "sh", "-c", &script];
    davit(daemon, &[&["run", "--name", "writes"], flags, &words].concat())
}

/// That it came to its limit; the container is removed.
fn is_full(daemon: &Daemon, done: &Done) -> Result<()> {
    let said = ["No space left on device", "Disk quota exceeded"].iter().any(|said| done.stderr.contains(said));
    ensure!(done.code != 0 && said, "{done:?}");
    davit(daemon, &["rm", "writes"])?.success().map(drop)
}

#[test]
fn a_container_writes_up_to_its_size_and_gives_it_back() -> Result<()> {
    let dir = tempfile::Builder::new().prefix("davit-e2e-").tempdir()?;
    let Some(disk) = SmallDisk::mount_with_quotas(dir.path(), 256 << 20)? else {
        println!("skipped: this kernel mounts no ext4 with project quotas");
        return Ok(());
    };
    let daemon = Daemon::beneath_with_site(disk.path(), SITE)?;
    let context = dir.path().join("context");
    fs::create_dir(&context)?;
    image(&daemon, &context)?;
    // More than once: what a container wrote is given back when it is removed.
    for _ in 0..2 {
        is_full(&daemon, &writes(&daemon, 12, &[])?)?;
        writes(&daemon, 6, &[])?.success()?;
        davit(&daemon, &["rm", "writes"])?.success()?;
    }
    // Who makes a container may want less for it, and no more than the site gives.
    is_full(&daemon, &writes(&daemon, 6, &["--storage-opt", "size=4m"])?)?;
    let more = writes(&daemon, 6, &["--storage-opt", "size=1g"])?;
    ensure!(more.code == 125 && more.stderr.contains("the site gives a container"), "{more:?}");
    daemon.finish()?;
    disk.unmount()
}
