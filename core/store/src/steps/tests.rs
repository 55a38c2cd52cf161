//! Steps on real folders, and their undoing.

use super::*;
use crate::{
    Store, StoreError,
    testing::{container, copying, overlaying},
};
use davit_model::{state::StateWrites, storage::Place};
use std::{
    collections::BTreeMap,
    os::unix::fs::{FileExt, MetadataExt, symlink},
    path::PathBuf,
};

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

struct Fixture {
    dir: tempfile::TempDir,
    store: Store,
    area: Area,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let area = store.area(copying().as_ref()).unwrap();
        Self { dir, store, area }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("areas/copying").join(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.area.names().unwrap().into_iter().map(|n| n.into_string().unwrap()).collect();
        names.sort();
        names
    }

    async fn made(&self, owner: &str, steps: Vec<StorageStep>) {
        let task = Task::begin(&self.store, &self.area, owner.into(), steps, StateWrites::default()).await.unwrap();
        task.commit(crate::Durability::Normal, |_| Ok(())).await.unwrap();
    }
}

#[tokio::test]
async fn a_plan_that_fails_is_undone_whole() {
    let f = Fixture::new();
    f.made("root:a", vec![StorageStep::MakeDir { at: place("old") }]).await;
    std::fs::write(f.path("old").join("kept"), "kept").unwrap();
    let steps = vec![
        StorageStep::Rename { src: place("old"), dst: place("moved") },
        StorageStep::MakeDir { at: place("old") },
        StorageStep::Discard { at: place("moved") },
        StorageStep::Quota { at: place("old"), bytes: 1 },
    ];
    let e = Task::begin(&f.store, &f.area, "root:a".into(), steps, StateWrites::default()).await.unwrap_err();
    assert!(matches!(e, StoreError::Unsupported { step: "quota", .. }), "{e}");
    assert_eq!(f.names(), ["old"]);
    assert_eq!(std::fs::read(f.path("old").join("kept")).unwrap(), b"kept");
}

#[tokio::test]
async fn what_this_file_system_cannot_do_is_named() {
    let f = Fixture::new();
    for (step, feature) in
        [(StorageStep::Subvolume { at: place("a") }, "btrfs"), (StorageStep::MakeDir { at: place("a") }, "")]
    {
        let done = Task::begin(&f.store, &f.area, "root:a".into(), vec![step], StateWrites::default()).await;
        match done {
            Err(StoreError::Unsupported { feature: found, .. }) => assert_eq!(found, feature),
            Err(e) => panic!("{e}"),
            Ok(task) => assert!(feature.is_empty(), "{task:?}"),
        }
    }
}

#[tokio::test]
async fn a_plan_cannot_take_what_another_has() {
    let f = Fixture::new();
    f.made("root:a", vec![StorageStep::MakeDir { at: place("a") }]).await;
    for step in [
        StorageStep::MakeDir { at: place("a") },
        StorageStep::Discard { at: place("a") },
        StorageStep::Rename { src: place("a"), dst: place("b") },
    ] {
        let e = Task::begin(&f.store, &f.area, "root:b".into(), vec![step], StateWrites::default()).await.unwrap_err();
        assert!(matches!(e, StoreError::Plan { .. }), "{e}");
        assert_eq!(f.names(), ["a"]);
    }
}

#[tokio::test]
async fn a_clone_is_like_its_source_in_everything() {
    let f = Fixture::new();
    f.made("root:a", vec![StorageStep::MakeDir { at: place("src") }]).await;
    let src = f.path("src");
    std::fs::create_dir(src.join("d")).unwrap();
    std::fs::write(src.join("d/f"), "text").unwrap();
    std::os::unix::fs::lchown(src.join("d/f"), Some(7), Some(8)).unwrap();
    std::fs::set_permissions(src.join("d/f"), std::os::unix::fs::PermissionsExt::from_mode(0o4751)).unwrap();
    std::fs::hard_link(src.join("d/f"), src.join("hard")).unwrap();
    symlink("/nowhere", src.join("d/l")).unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(src.join("d"), "user.a", b"1", flags).unwrap();
    rustix::fs::setxattr(src.join("d"), "trusted.overlay.opaque", b"y", flags).unwrap();
    let cwd = rustix::fs::CWD;
    let null = rustix::fs::makedev(1, 3);
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(cwd, src.join("null"), rustix::fs::FileType::CharacterDevice, mode, null).unwrap();
    rustix::fs::mknodat(cwd, src.join("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let sparse = std::fs::File::create(src.join("sparse")).unwrap();
    sparse.set_len(10 << 20).unwrap();
    sparse.write_all_at(b"end", (10 << 20) - 3).unwrap();
    let time = rustix::fs::Timespec { tv_sec: 5, tv_nsec: 6 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(cwd, src.join("d"), &times, rustix::fs::AtFlags::empty()).unwrap();

    f.made("root:b", vec![StorageStep::CloneTree { src: place("src"), dst: place("dst") }]).await;
    let dst = f.path("dst");
    for name in ["d", "d/f", "d/l", "hard", "null", "pipe", "sparse"] {
        let look = |root: &PathBuf| {
            let m = std::fs::symlink_metadata(root.join(name)).unwrap();
            let size = if m.is_dir() { 0 } else { m.size() };
            (m.mode(), m.uid(), m.gid(), size, m.rdev(), m.mtime(), m.mtime_nsec(), m.nlink())
        };
        assert_eq!(look(&dst), look(&src), "{name}");
    }
    let ino = |n: &str| std::fs::metadata(dst.join(n)).unwrap().ino();
    assert_eq!(ino("hard"), ino("d/f"));
    assert_eq!(std::fs::read(dst.join("d/f")).unwrap(), b"text");
    assert!(std::fs::metadata(dst.join("sparse")).unwrap().blocks() < 100, "holes stay holes");
    assert!(std::fs::read(dst.join("sparse")).unwrap().ends_with(b"end"));
    let mut value = [0; 4];
    assert_eq!(rustix::fs::getxattr(dst.join("d"), "user.a", &mut value[..]), Ok(1));
    assert_eq!(rustix::fs::getxattr(dst.join("d"), "trusted.overlay.opaque", &mut value[..]), Ok(1));
}

#[tokio::test]
async fn a_root_is_made_once_and_removed_without_its_driver() {
    let f = Fixture::new();
    for driver in [copying(), overlaying()] {
        let id = container(3);
        let first = f.store.prepare_root(&driver, &id, &[], &BTreeMap::new()).await.unwrap();
        let again = f.store.prepare_root(&driver, &id, &[], &BTreeMap::new()).await.unwrap();
        assert_eq!(first, again);
        let area = f.store.root(&id).await.unwrap().unwrap().area;
        f.store.remove_root(&id).await.unwrap();
        f.store.remove_root(&id).await.unwrap();
        assert!(f.store.root(&id).await.unwrap().is_none());
        assert!(area.names().unwrap().is_empty());
    }
}

#[test]
fn facts_are_what_was_tried() {
    let f = Fixture::new();
    let facts = f.area.facts().unwrap();
    assert!(facts.free_bytes > 0);
    // Whiteouts' attributes can be set here: the other tests of this crate do it.
    let known = std::fs::read_to_string("/proc/filesystems").unwrap();
    assert_eq!(facts.features.contains("overlay"), known.contains("\toverlay\n"));
}
