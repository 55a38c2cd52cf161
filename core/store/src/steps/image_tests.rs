//! Images of real trees, made by the real writer and mounted by the kernel.

use super::*;
use crate::{
    Store, StoreError, copy_tree,
    testing::{SmallDisk, Tar, TestImage, imaging, pull},
};
use davit_model::{state::StateWrites, storage::Place};
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::{MetadataExt, PermissionsExt, lchown, symlink},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

fn image_of(src: &str, dst: &str) -> StorageStep {
    StorageStep::MakeImage { src: place(src), dst: place(dst), format: "erofs".into() }
}

struct Fixture {
    store: Store,
    area: Area,
    root: PathBuf,
}

impl Fixture {
    fn at(root: &Path) -> Self {
        let store = Store::open(root).unwrap();
        let area = store.area(imaging().as_ref()).unwrap();
        Self { store, area, root: root.to_owned() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join("areas/imaging").join(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.area.names().unwrap().into_iter().map(|n| n.into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn trash(&self) -> usize {
        fs::read_dir(self.path(".trash")).unwrap().count()
    }

    async fn begun(&self, steps: Vec<StorageStep>) -> Result<Task, StoreError> {
        Task::begin(&self.store, &self.area, "root:a".into(), steps, StateWrites::default()).await
    }

    async fn made(&self, steps: Vec<StorageStep>) {
        self.begun(steps).await.unwrap().commit(crate::Durability::Normal, |_| Ok(())).await.unwrap();
    }
}

/// One of everything that a layer can hold.
fn fill(tree: &Path) {
    let mode = Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(CWD, tree.join("gone"), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    rustix::fs::mknodat(CWD, tree.join("null"), FileType::CharacterDevice, mode, rustix::fs::makedev(1, 3)).unwrap();
    rustix::fs::mknodat(CWD, tree.join("pipe"), FileType::Fifo, mode, 0).unwrap();
    fs::create_dir(tree.join("d")).unwrap();
    fs::write(tree.join("d/f"), "text").unwrap();
    lchown(tree.join("d/f"), Some(7), Some(70_000)).unwrap();
    fs::set_permissions(tree.join("d/f"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::hard_link(tree.join("d/f"), tree.join("hard")).unwrap();
    fs::write(tree.join("d/large"), vec![7; 300_001]).unwrap();
    symlink("/nowhere", tree.join("d/l")).unwrap();
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (path, name, value) in [
        ("d", "trusted.overlay.opaque", b"y".as_slice()),
        ("d", "user.a", b"1"),
        ("d/f", "security.capability", &capability),
    ] {
        rustix::fs::setxattr(tree.join(path), name, value, XattrFlags::empty()).unwrap();
    }
    for (path, tv_sec) in [("d/f", -5), ("d/l", 6), ("d/large", 4_000_000_000), ("d", 7), (".", 8)] {
        let time = Timespec { tv_sec, tv_nsec: 9 };
        let times = Timestamps { last_access: time, last_modification: time };
        rustix::fs::utimensat(CWD, tree.join(path), &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
}

/// All that an archive could say of a tree's entries.
fn looks(tree: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![PathBuf::from(".")];
    while let Some(path) = waiting.pop() {
        let full = tree.join(&path);
        let m = fs::symlink_metadata(&full).unwrap();
        let content = if m.is_file() { fs::read(&full).unwrap() } else { Vec::new() };
        let target = fs::read_link(&full).ok();
        let size = if m.is_dir() { 0 } else { m.size() };
        let links = if m.is_dir() { 0 } else { m.nlink() };
        let mut names = vec![0; 1000];
        let length = rustix::fs::llistxattr(&full, &mut names[..]).unwrap();
        let mut attributes = BTreeMap::new();
        for name in names[..length].split(|b| *b == 0).filter(|n| !n.is_empty()) {
            let mut value = vec![0; 1000];
            let length = rustix::fs::lgetxattr(&full, name, &mut value[..]).unwrap();
            attributes.insert(String::from_utf8(name.to_vec()).unwrap(), value[..length].to_vec());
        }
        let owner = (m.mode(), m.uid(), m.gid(), links, m.rdev());
        let time = (m.mtime(), m.mtime_nsec());
        found.insert(path.clone(), format!("{owner:?} {size} {time:?} {target:?} {attributes:?} {content:?}"));
        if m.is_dir() {
            waiting.extend(fs::read_dir(&full).unwrap().map(|e| path.join(e.unwrap().file_name())));
        }
    }
    found
}

fn reached(mounted: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}/.", mounted.as_raw_fd()).into()
}

#[tokio::test]
async fn an_image_is_like_its_tree_in_everything_however_it_is_mounted() {
    let dir = tempfile::tempdir().unwrap();
    let f = Fixture::at(dir.path());
    assert!(f.area.facts().unwrap().features.contains("erofs"), "needs a kernel with erofs, and erofs-utils");
    f.made(vec![StorageStep::MakeDir { at: place("tree") }]).await;
    fill(&f.path("tree"));
    let want = looks(&f.path("tree"));
    assert!(want[Path::new("./gone")].starts_with("(8192, 0, 0, 1, 0)"), "a whiteout: {:?}", want[Path::new("./gone")]);
    f.made(vec![image_of("tree", "image")]).await;
    let file = File::open(f.path("image")).unwrap();
    assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o400);
    assert_eq!(davit_sys::image::format(file.as_fd()).unwrap(), Some("erofs"));
    for mount in [davit_sys::image::mount, davit_sys::image::by_loop] {
        let mounted = mount(file.as_fd(), "erofs").unwrap();
        assert_eq!(looks(&reached(&mounted)), want);
        let inode = |path: &str| fs::metadata(reached(&mounted).join(path)).unwrap().ino();
        assert_eq!(inode("hard"), inode("d/f"));
        assert!(fs::write(reached(&mounted).join("new"), "").is_err(), "nothing writes to it");
    }
    assert_eq!((f.names(), f.trash()), (vec!["image".to_owned(), "tree".to_owned()], 0));
}

#[tokio::test]
async fn the_same_tree_gives_the_same_image() {
    let mut images = Vec::new();
    for _ in 0..2 {
        let dir = tempfile::tempdir().unwrap();
        let f = Fixture::at(dir.path());
        f.made(vec![StorageStep::MakeDir { at: place("tree") }]).await;
        fill(&f.path("tree"));
        // What a file system gives by itself.
        for name in ["gone", "null", "pipe"] {
            let time = Timespec { tv_sec: 5, tv_nsec: 6 };
            let times = Timestamps { last_access: time, last_modification: time };
            rustix::fs::utimensat(CWD, f.path("tree").join(name), &times, AtFlags::empty()).unwrap();
        }
        rustix::fs::utimensat(
            CWD,
            f.path("tree"),
            &Timestamps {
                last_access: Timespec { tv_sec: 5, tv_nsec: 6 },
                last_modification: Timespec { tv_sec: 5, tv_nsec: 6 },
            },
            AtFlags::empty(),
        )
        .unwrap();
        f.made(vec![image_of("tree", "image")]).await;
        images.push(fs::read(f.path("image")).unwrap());
    }
    assert!(images[0] == images[1], "they differ");
}

#[tokio::test]
async fn an_image_that_nobody_wants_any_more_is_given_up_and_undone() {
    let dir = tempfile::tempdir().unwrap();
    let f = Fixture::at(dir.path());
    f.made(vec![StorageStep::MakeDir { at: place("tree") }]).await;
    fs::write(f.path("tree/large"), vec![7; 64 << 20]).unwrap();
    let mut task = f.begun(Vec::new()).await.unwrap();
    task.cancelled_by(Arc::new(AtomicBool::new(true)));
    let steps = vec![image_of("tree", "image"), StorageStep::Discard { at: place("tree") }];
    let e = task.extend(steps, StateWrites::default()).await.unwrap_err();
    let e = task.undo(e).await;
    assert!(matches!(e, StoreError::Cancelled), "{e}");
    assert_eq!((f.names(), f.trash()), (vec!["tree".to_owned()], 0));
}

#[tokio::test]
async fn an_image_that_the_disk_has_no_room_for_is_undone() {
    let disk = SmallDisk::new();
    let f = Fixture::at(&disk.path().join("data"));
    f.made(vec![StorageStep::MakeDir { at: place("tree") }]).await;
    fs::write(f.path("tree/large"), vec![7; 8 << 20]).unwrap();
    let before = disk.used();
    let e = f.begun(vec![image_of("tree", "image")]).await.unwrap_err();
    assert!(matches!(e, StoreError::NoSpace { .. }), "{e}");
    assert_eq!((f.names(), f.trash()), (vec!["tree".to_owned()], 0));
    disk.uses_at_most(before + (1 << 20));
}

#[tokio::test]
async fn an_entry_that_the_writer_would_leave_out_is_named() {
    for name in ["lost+found".to_owned(), "x".repeat(255)] {
        let dir = tempfile::tempdir().unwrap();
        let f = Fixture::at(dir.path());
        f.made(vec![StorageStep::MakeDir { at: place("tree") }]).await;
        fs::create_dir_all(f.path("tree/d").join(&name)).unwrap();
        let e = f.begun(vec![image_of("tree", "image")]).await.unwrap_err();
        assert!(e.to_string().contains(&format!("mkfs.erofs cannot write the entry ./d/{name}")), "{e}");
        assert_eq!((f.names(), f.trash()), (vec!["tree".to_owned()], 0));
    }
}

#[tokio::test]
#[ignore = "is run by the test below, where the writer is hidden"]
async fn without_the_writer() {
    if crate::writer::program().is_some() {
        println!("skipped: only the test below hides the writer");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let f = Fixture::at(dir.path());
    assert!(!f.area.facts().unwrap().features.contains("erofs"));
    f.made(vec![StorageStep::MakeDir { at: place("tree") }]).await;
    let e = f.begun(vec![image_of("tree", "image")]).await.unwrap_err();
    assert!(e.to_string().ends_with("mkfs.erofs is not installed; install the package erofs-utils"), "{e}");
    assert_eq!((f.names(), f.trash()), (vec!["tree".to_owned()], 0));
}

#[test]
fn where_the_writer_is_missing_its_package_is_named() {
    let writer = crate::writer::program().expect("erofs-utils is installed");
    let hide = r#"mount --bind /dev/null "$1"; shift; exec "$@""#;
    let mut hidden = std::process::Command::new("unshare");
    hidden.args(["--mount", "--propagation", "private", "sh", "-ec", hide, "sh"]).arg(writer);
    hidden.arg(std::env::current_exe().unwrap());
    hidden.args(["--ignored", "--nocapture", "--exact", "steps::image_tests::without_the_writer"]);
    let done = hidden.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed") && !said.contains("skipped:"), "{done:?}");
}

#[tokio::test]
async fn a_format_without_a_writer_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let f = Fixture::at(dir.path());
    f.made(vec![StorageStep::MakeDir { at: place("tree") }]).await;
    let step = StorageStep::MakeImage { src: place("tree"), dst: place("image"), format: "squashfs".into() };
    let e = f.begun(vec![step]).await.unwrap_err();
    assert!(matches!(&e, StoreError::Unsupported { feature, .. } if feature.contains("squashfs")), "{e}");
}

#[test]
fn a_copy_out_of_an_image_is_like_the_tree() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fill(&tree);
    let image: OwnedFd = File::create_new(dir.path().join("image")).unwrap().into();
    crate::writer::write(File::open(&tree).unwrap().into(), &image, "image", &AtomicBool::new(false)).unwrap();
    let mounted = davit_sys::image::mount(File::open(dir.path().join("image")).unwrap().as_fd(), "erofs").unwrap();
    let copy = dir.path().join("copy");
    fs::create_dir(&copy).unwrap();
    let from = File::open(reached(&mounted)).unwrap();
    copy_tree(from.into(), File::open(&copy).unwrap().into()).unwrap();
    assert_eq!(looks(&copy), looks(&tree));
}

#[tokio::test]
async fn a_folder_that_a_layer_only_implies_looks_as_in_the_image_beneath() {
    let dir = tempfile::tempdir().unwrap();
    let f = Fixture::at(dir.path());
    let looks = |header: &mut tar::Header| {
        header.set_mode(0o2750);
        header.set_uid(5);
    };
    let base = Tar::new().raw(tar::EntryType::Directory, b"srv/", b"", b"", looks).done();
    let image = TestImage::new(&[base, Tar::new().file("srv/file", b"").done()]);
    pull(&f.store, &imaging(), &image, "demo/a:1").await.unwrap();
    let top = crate::chain_ids(&image.diff_ids).pop().unwrap();
    let top = f.store.layer(imaging().as_ref(), &top).await.unwrap().unwrap();
    let mounted = f.area.open_tree(&top.place).unwrap();
    let srv = fs::metadata(reached(&mounted).join("srv")).unwrap();
    assert_eq!((srv.mode() & 0o7777, srv.uid()), (0o2750, 5));
    assert!(fs::metadata(reached(&mounted).join("srv/file")).is_ok());
}
