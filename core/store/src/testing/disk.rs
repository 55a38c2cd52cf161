//! Small file systems on loop devices: an ext4 for full disks, one with quotas, a btrfs for subvolumes.

use davit_fixtures::{disk, process::run};
use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// Unmounted when dropped, so what uses it must be dropped before.
#[derive(Debug)]
struct Disk {
    mounted: disk::SmallDisk,
    _dir: tempfile::TempDir,
}

impl Disk {
    fn new<E: Debug>(mount: impl FnOnce(&Path) -> Result<disk::SmallDisk, E>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mounted = mount(dir.path()).expect("a loop mount needs root and /dev/loop*");
        Self { mounted, _dir: dir }
    }

    fn path(&self) -> PathBuf {
        self.mounted.path().to_owned()
    }
}

/// 16 MiB of ext4.
#[derive(Debug)]
pub(crate) struct SmallDisk(Disk);

impl SmallDisk {
    pub(crate) fn new() -> Self {
        Self(Disk::new(|dir| disk::SmallDisk::mount(dir, 16 << 20)))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// Until the file that it answers is removed, there is no room.
    pub(crate) fn fill(&self) -> PathBuf {
        self.0.mounted.fill().unwrap()
    }

    pub(crate) fn used(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.path()).unwrap();
        (stat.f_blocks - stat.f_bfree) * stat.f_frsize
    }

    /// What was removed is gone: at once, or when another test's program, about to begin, lets go of what it inherited.
    pub(crate) fn uses_at_most(&self, bytes: u64) {
        let begun = Instant::now();
        while self.used() > bytes {
            assert!(begun.elapsed() < Duration::from_secs(20), "{} bytes are used, not {bytes}", self.used());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// 512 MiB with project quotas.
#[derive(Debug)]
pub(crate) struct Quotas(Disk);

impl Quotas {
    /// Of `ext4` or `xfs`; none where this kernel does not mount one with project quotas.
    pub(crate) fn new(format: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = match format {
            "ext4" => disk::SmallDisk::mount_with_quotas(dir.path(), 512 << 20),
            _ => disk::SmallDisk::mount_xfs_with_quotas(dir.path(), 512 << 20),
        };
        Some(Self(Disk { mounted: mounted.unwrap()?, _dir: dir }))
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
            .then(|| Self(Disk::new(|dir| disk::SmallDisk::mount_btrfs(dir, 256 << 20))))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// Makes a subvolume read-only, as its owner may.
    pub(crate) fn freeze(&self, subvolume: &Path) {
        run(Command::new("btrfs").args(["property", "set", "-ts"]).arg(subvolume).args(["ro", "true"])).unwrap();
    }

    /// The paths of all subvolumes that are not being destroyed.
    pub(crate) fn subvolumes(&self) -> Vec<String> {
        let list = run(Command::new("btrfs").args(["subvolume", "list"]).arg(self.path())).unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        list.lines().filter_map(|l| Some(l.split_once(" path ")?.1.to_owned())).collect()
    }
}
