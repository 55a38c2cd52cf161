//! Subvolumes and snapshots on a real btrfs.

use super::*;
use crate::{
    Store, StoreError,
    testing::{Btrfs, skipped, snapshotting},
};
use davit_model::{state::StateWrites, storage::Place};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
};

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

fn discard(text: &str) -> StorageStep {
    StorageStep::Discard { at: place(text) }
}

/// The disk is last: what is on it is closed before.
struct Fixture {
    store: Store,
    area: Area,
    disk: Btrfs,
}

impl Fixture {
    fn new() -> Option<Self> {
        let disk = Btrfs::new()?;
        let store = Store::open(&disk.path().join("data")).unwrap();
        let area = store.area(snapshotting().as_ref()).unwrap();
        Some(Self { store, area, disk })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.disk.path().join("data/areas/snapshotting").join(name)
    }

    async fn begun(&self, owner: &str, steps: Vec<StorageStep>) -> Result<Task, StoreError> {
        Task::begin(&self.store, &self.area, owner.into(), steps, StateWrites::default()).await
    }

    async fn made(&self, owner: &str, steps: Vec<StorageStep>) {
        self.begun(owner, steps).await.unwrap().commit(crate::Durability::Normal, |_| Ok(())).await.unwrap();
    }
}

const NO_BTRFS: &str = "this kernel has no btrfs";

#[tokio::test]
async fn a_snapshot_is_the_whole_tree_and_is_written_to_apart() {
    let Some(f) = Fixture::new() else { return skipped(NO_BTRFS) };
    assert!(f.area.facts().unwrap().features.contains("btrfs"));
    f.made("root:a", vec![StorageStep::Subvolume { at: place("a") }]).await;
    let looks = fs::metadata(f.path("a")).unwrap();
    assert_eq!((looks.mode() & 0o7777, looks.uid(), looks.ino()), (0o755, 0, 256));
    fs::create_dir(f.path("a/etc")).unwrap();
    fs::write(f.path("a/etc/f"), "old").unwrap();

    let snapshot = StorageStep::Snapshot { src: place("a"), dst: place("b.part") };
    f.made("root:b", vec![snapshot, StorageStep::Rename { src: place("b.part"), dst: place("b") }]).await;
    fs::write(f.path("b/etc/f"), "new").unwrap();
    assert_eq!(fs::read(f.path("a/etc/f")).unwrap(), b"old");
    assert_eq!(fs::read(f.path("b/etc/f")).unwrap(), b"new");
    f.made("root:b", vec![discard("b")]).await;
    f.made("root:a", vec![discard("a")]).await;
    assert_eq!(f.disk.subvolumes(), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_container_made_a_subvolume_of_its_own_is_in_a_snapshot_too() {
    let Some(f) = Fixture::new() else { return skipped(NO_BTRFS) };
    f.made("root:a", vec![StorageStep::Subvolume { at: place("a") }]).await;
    fs::create_dir_all(f.path("a/var/lib")).unwrap();
    let within = |path: &str, name: &std::ffi::CStr| {
        let dir = fs::File::open(f.path(path)).unwrap();
        davit_sys::btrfs::create(std::os::fd::AsFd::as_fd(&dir), name).unwrap();
    };
    within("a/var/lib", c"db");
    within("a/var/lib/db", c"deeper");
    fs::write(f.path("a/var/lib/db/deeper/f"), "kept").unwrap();
    fs::set_permissions(f.path("a/var/lib/db"), fs::Permissions::from_mode(0o1750)).unwrap();
    let looks = |root: &str| {
        ["var/lib", "var/lib/db", "var/lib/db/deeper/f"].map(|path| {
            let looks = fs::metadata(f.path(root).join(path)).unwrap();
            (looks.mode(), looks.mtime(), looks.mtime_nsec())
        })
    };

    f.made("root:b", vec![StorageStep::Snapshot { src: place("a"), dst: place("b") }]).await;
    assert_eq!(fs::read(f.path("b/var/lib/db/deeper/f")).unwrap(), b"kept");
    assert_eq!(looks("b"), looks("a"));
    f.made("root:a", vec![discard("a")]).await;
    f.made("root:b", vec![discard("b")]).await;
    assert_eq!(f.disk.subvolumes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_plan_with_snapshots_that_fails_is_undone_whole() {
    let Some(f) = Fixture::new() else { return skipped(NO_BTRFS) };
    f.made("root:a", vec![StorageStep::MakeDir { at: place("folder") }]).await;
    let steps = vec![
        StorageStep::Subvolume { at: place("b") },
        StorageStep::Snapshot { src: place("b"), dst: place("c") },
        discard("b"),
        StorageStep::Snapshot { src: place("folder"), dst: place("d") },
    ];
    let e = f.begun("root:b", steps).await.unwrap_err();
    assert!(e.to_string().contains("folder is no btrfs subvolume"), "{e}");
    assert_eq!(f.area.names().unwrap(), [c"folder".to_owned()]);
    assert_eq!(f.disk.subvolumes(), Vec::<String>::new());
}
