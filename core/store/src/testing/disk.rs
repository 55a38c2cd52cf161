//! A small ext4 on a loop device, for full disks.

use std::{path::PathBuf, process::Command};

/// 16 MiB; unmounted when dropped, so what uses it must be dropped before.
pub(crate) struct SmallDisk {
    dir: tempfile::TempDir,
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?} (a loop mount needs root and /dev/loop*)");
}

impl SmallDisk {
    pub(crate) fn new() -> Self {
        let disk = Self { dir: tempfile::tempdir().unwrap() };
        let image = disk.dir.path().join("disk");
        std::fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        std::fs::create_dir(disk.path()).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image));
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(disk.path()));
        disk
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("mnt")
    }

    pub(crate) fn used(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.path()).unwrap();
        (stat.f_blocks - stat.f_bfree) * stat.f_frsize
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run(Command::new("umount").arg(self.path()));
    }
}
