//! Small file systems on loop devices: an ext4 for full disks, a btrfs for subvolumes.

use std::{path::PathBuf, process::Command};

/// Unmounted when dropped, so what uses it must be dropped before.
#[derive(Debug)]
struct Disk {
    dir: tempfile::TempDir,
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {why} (a loop mount needs root and /dev/loop*)");
    output.stdout
}

/// A file system in a file, not mounted yet.
fn made(size: u64, mkfs: &mut Command) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::File::create(dir.path().join("disk")).unwrap().set_len(size).unwrap();
    std::fs::create_dir(dir.path().join("mnt")).unwrap();
    run(mkfs.arg(dir.path().join("disk")));
    dir
}

fn mount(dir: &tempfile::TempDir, options: &str) -> Command {
    let mut mount = Command::new("mount");
    mount.args(["-o", options]).arg(dir.path().join("disk")).arg(dir.path().join("mnt"));
    mount
}

impl Disk {
    fn new(size: u64, mkfs: &mut Command) -> Self {
        let dir = made(size, mkfs);
        run(&mut mount(&dir, "loop"));
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("mnt")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(Command::new("umount").arg(self.path()));
    }
}

/// 16 MiB of ext4.
pub(crate) struct SmallDisk(Disk);

impl SmallDisk {
    pub(crate) fn new() -> Self {
        Self(Disk::new(16 << 20, Command::new("mkfs.ext4").args(["-q", "-m", "0"])))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path()
    }

    pub(crate) fn used(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.path()).unwrap();
        (stat.f_blocks - stat.f_bfree) * stat.f_frsize
    }
}

/// 512 MiB with project quotas.
#[derive(Debug)]
pub(crate) struct Quotas(Disk);

impl Quotas {
    /// Of `ext4` or `xfs`; none where this kernel does not mount one with project quotas.
    pub(crate) fn new(format: &str) -> Option<Self> {
        let mut mkfs = Command::new(format!("mkfs.{format}"));
        mkfs.args(if format == "ext4" { ["-q", "-Oquota,project"].as_slice() } else { ["-q"].as_slice() });
        let dir = made(512 << 20, &mut mkfs);
        // What cannot be mounted so is refused, or mounted without.
        mount(&dir, "loop,prjquota").output().unwrap().status.success().then(|| Self(Disk { dir }))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path()
    }
}

/// 256 MiB of btrfs.
#[derive(Debug)]
pub(crate) struct Btrfs(Disk);

impl Btrfs {
    /// None where this kernel has no btrfs, as root finds out.
    pub(crate) fn new() -> Option<Self> {
        davit_sys::image::known("btrfs")
            .unwrap()
            .then(|| Self(Disk::new(256 << 20, Command::new("mkfs.btrfs").arg("-q"))))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// Makes a subvolume read-only, as its owner may.
    pub(crate) fn freeze(&self, subvolume: &std::path::Path) {
        run(Command::new("btrfs").args(["property", "set", "-ts"]).arg(subvolume).args(["ro", "true"]));
    }

    /// The paths of all subvolumes that are not being destroyed.
    pub(crate) fn subvolumes(&self) -> Vec<String> {
        let list = run(Command::new("btrfs").args(["subvolume", "list"]).arg(self.path()));
        let list = String::from_utf8(list).unwrap();
        list.lines().filter_map(|l| Some(l.split_once(" path ")?.1.to_owned())).collect()
    }
}
