//! A full disk is one clear error, and the state is as before. On a small ext4 of this test's own.

use davit_store::{Store, StoreError};
use std::{path::Path, process::Command};

struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("disk");
        std::fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        std::fs::create_dir(dir.path().join("mnt")).unwrap();
        let done = Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image).status().unwrap();
        assert!(done.success());
        let done = Command::new("mount").args(["-o", "loop"]).arg(&image).arg(dir.path().join("mnt")).status().unwrap();
        assert!(done.success(), "a loop mount needs root and /dev/loop*");
        Self { dir }
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("mnt")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

fn used(path: &Path) -> u64 {
    let stat = rustix::fs::statvfs(path).unwrap();
    (stat.f_blocks - stat.f_bfree) * stat.f_frsize
}

#[tokio::test]
async fn a_blob_that_does_not_fit_says_so_and_can_be_given_up() {
    use sha2::Digest as _;
    let disk = SmallDisk::new();
    let store = Store::open(&disk.path().join("davit")).unwrap();
    let lease = store.lease("test").await.unwrap();
    let before = used(&disk.path());
    let bytes = vec![1; 32 << 20];
    let digest = davit_model::digest::Digest::sha256(&sha2::Sha256::digest(&bytes).into());
    let mut writer = store.write_blob(&lease, &digest, None).await.unwrap().unwrap();
    let e = bytes.chunks(1 << 20).find_map(|chunk| writer.write(chunk).err()).unwrap();
    assert!(matches!(e, StoreError::NoSpace { .. }), "{e}");
    assert!(e.to_string().starts_with("no space left on"), "{e}");
    writer.abandon().unwrap();
    assert!(used(&disk.path()) < before + (1 << 20), "what was written is gone");
    store.put_blob(&lease, b"fits".to_vec()).await.unwrap();
}
