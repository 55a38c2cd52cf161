//! Pulls into real folders, with both kinds of driver.

use crate::{
    LayerSource, Lease, Store, StoreError,
    testing::{SmallDisk, Tar, TestImage, container, copying, digest, overlaying, pull},
};
use davit_model::{digest::Digest, storage::RootMount};
use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

fn image() -> TestImage {
    TestImage::new(&[
        Tar::new().dir("etc/").file("etc/passwd", b"root").file("etc/old", b"1").dir("var/").file("var/a", b"a").done(),
        Tar::new().file("etc/.wh.old", b"").file("etc/new", b"2").done(),
        Tar::new().file("var/.wh..wh..opq", b"").file("var/b", b"b").done(),
    ])
}

fn names(path: PathBuf) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_image_is_pulled_listed_rooted_and_removed_by_a_copying_driver() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (driver, image) = (copying(), image());
    let record = pull(&store, &driver, &image, "demo/a:1").await.unwrap();
    assert_eq!(record.id, image.id());
    assert_eq!(store.images().await.unwrap()[0].tags(), ["demo/a:1"]);
    let root = store.prepare_root(&driver, &container(1), &image.diff_ids, &BTreeMap::new()).await.unwrap();
    let RootMount::Tree { at, writable: true } = &root.mount else { panic!("{root:?}") };
    let path = dir.path().join("areas/copying").join(at.as_str());
    assert_eq!(names(path.join("etc")), ["new", "passwd"]);
    assert_eq!(names(path.join("var")), ["b"]);
    // The root's layers are kept while it is there, the image's while it is.
    store.remove_image(&record.id, |_| None).await.unwrap();
    assert!(store.collect(std::slice::from_ref(&driver)).await.unwrap().layers.is_empty());
    store.remove_root(&container(1)).await.unwrap();
    let collected = store.collect(std::slice::from_ref(&driver)).await.unwrap();
    assert_eq!(collected.layers.len(), 3);
    assert!(collected.errors.is_empty(), "{:?}", collected.errors);
    assert_eq!(names(dir.path().join("areas/copying")), [".trash"]);
    assert_eq!(names(dir.path().join("content/sha256")).len(), 0);
}

#[tokio::test]
async fn an_overlay_of_the_layers_shows_what_a_copy_shows() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (driver, image) = (overlaying(), image());
    pull(&store, &driver, &image, "demo/a:1").await.unwrap();
    let root = store.prepare_root(&driver, &container(1), &image.diff_ids, &BTreeMap::new()).await.unwrap();
    let RootMount::Overlay { lower, .. } = &root.mount else { panic!("{root:?}") };
    let area = dir.path().join("areas/overlaying");
    let white = std::fs::symlink_metadata(area.join(lower[1].as_str()).join("etc/old")).unwrap();
    assert_eq!((white.mode() & 0o170_000, white.rdev()), (0o020_000, 0));
    // Mounted for real, in a mount of this test's own.
    let target = dir.path().join("mnt");
    std::fs::create_dir(&target).unwrap();
    let lowers: Vec<_> = lower.iter().rev().map(|l| area.join(l.as_str()).display().to_string()).collect();
    let status = std::process::Command::new("mount")
        .args(["-t", "overlay", "overlay", "-o", &format!("lowerdir={}", lowers.join(":"))])
        .arg(&target)
        .status()
        .unwrap();
    assert!(status.success());
    let (etc, var) = (names(target.join("etc")), names(target.join("var")));
    assert!(std::process::Command::new("umount").arg(&target).status().unwrap().success());
    assert_eq!((etc, var), (vec!["new".into(), "passwd".into()], vec!["b".to_string()]));
}

#[tokio::test]
async fn a_layer_that_is_there_is_not_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (driver, image) = (overlaying(), image());
    let opened = Arc::new(AtomicUsize::new(0));
    let sources = || -> Vec<LayerSource> {
        let one = |(diff_id, bytes): (&Digest, &Vec<u8>)| {
            let (bytes, opened) = (bytes.clone(), opened.clone());
            LayerSource::new(diff_id.clone(), "", move || {
                opened.fetch_add(1, Ordering::SeqCst);
                Ok(Box::new(std::io::Cursor::new(bytes)))
            })
        };
        image.diff_ids.iter().zip(&image.layers).map(one).collect()
    };
    let lease: Lease = store.lease("test").await.unwrap();
    let (a, b) =
        tokio::join!(store.ensure_layers(&driver, &lease, sources()), store.ensure_layers(&driver, &lease, sources()));
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(opened.load(Ordering::SeqCst), 3, "two callers share the work");
}

#[tokio::test]
async fn a_wrong_diff_id_leaves_nothing() {
    for driver in [overlaying(), copying()] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let good = Tar::new().file("a", b"a").done();
        let bytes = good.clone();
        let lease = store.lease("test").await.unwrap();
        let source = LayerSource::new(digest(b"other"), "", move || Ok(Box::new(std::io::Cursor::new(bytes))));
        let e = store.ensure_layers(&driver, &lease, vec![source]).await.unwrap_err();
        assert!(matches!(e, StoreError::WrongDigest { .. }), "{e}");
        assert_eq!(names(dir.path().join("areas").join(driver.name())), [".trash"]);
        let bytes = good.clone();
        let source = LayerSource::new(digest(&good), "", move || Ok(Box::new(std::io::Cursor::new(bytes))));
        assert_eq!(store.ensure_layers(&driver, &lease, vec![source]).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn the_cause_is_told_and_not_what_followed_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let lease = store.lease("test").await.unwrap();
    let source =
        |bytes: Vec<u8>| LayerSource::new(digest(&bytes), "", move || Ok(Box::new(std::io::Cursor::new(bytes))));
    let sources = vec![
        source(Tar::new().file("a", b"a").done()),
        source(Tar::new().file("../b", b"b").done()),
        source(Tar::new().file("c", b"c").done()),
    ];
    let e = store.ensure_layers(&overlaying(), &lease, sources).await.unwrap_err();
    assert!(e.to_string().contains("leads out of the layer"), "{e}");
}

#[tokio::test]
async fn a_pull_that_nobody_waits_for_undoes_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let driver = copying();
    let lease = store.lease("test").await.unwrap();
    let (mut feed, pipe) = std::os::unix::net::UnixStream::pair().unwrap();
    let source = LayerSource::new(digest(b""), "", move || Ok(Box::new(pipe)));
    let work = {
        let (store, driver, lease) = (store.clone(), driver.clone(), lease.clone());
        tokio::spawn(async move { store.ensure_layers(&driver, &lease, vec![source]).await })
    };
    let area = dir.path().join("areas/copying");
    while !area.exists() || names(area.clone()).len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    work.abort();
    let _ = work.await;
    // The next bytes meet the flag.
    let _ = std::io::Write::write_all(&mut feed, &Tar::new().file("a", b"a").done());
    drop(feed);
    for _ in 0..400 {
        if names(area.clone()).len() == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("still there: {:?}", names(area));
}

#[tokio::test]
async fn a_hundred_and_twenty_seven_layers_are_one_image() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let archives: Vec<_> = (0..127).map(|n| Tar::new().file(&format!("f{n}"), b"x").done()).collect();
    let image = TestImage::new(&archives);
    let driver = overlaying();
    pull(&store, &driver, &image, "demo/many:1").await.unwrap();
    let root = store.prepare_root(&driver, &container(1), &image.diff_ids, &BTreeMap::new()).await.unwrap();
    let RootMount::Overlay { lower, .. } = root.mount else { panic!() };
    assert_eq!(lower.len(), 127);
}

#[tokio::test]
async fn a_layer_that_does_not_fit_on_the_disk_leaves_the_state_as_it_was() {
    let disk = SmallDisk::new();
    let store = Store::open(&disk.path().join("davit")).unwrap();
    let lease = store.lease("test").await.unwrap();
    let large = vec![1; 24 << 20];
    let big = Tar::new().raw(tar::EntryType::Regular, b"big", b"", &large, |_| {}).done();
    let source =
        |bytes: Vec<u8>| LayerSource::new(digest(&bytes), "", move || Ok(Box::new(std::io::Cursor::new(bytes))));
    let e = store.ensure_layers(&overlaying(), &lease, vec![source(big)]).await.unwrap_err();
    assert!(e.to_string().starts_with("no space left on the file system of entry \"big\""), "{e}");
    assert_eq!(names(disk.path().join("davit/areas/overlaying")), [".trash"]);
    store.ensure_layers(&overlaying(), &lease, vec![source(Tar::new().file("a", b"a").done())]).await.unwrap();
}

#[tokio::test]
async fn a_blob_that_does_not_fit_says_so_and_can_be_given_up() {
    let disk = SmallDisk::new();
    let store = Store::open(&disk.path().join("davit")).unwrap();
    let lease = store.lease("test").await.unwrap();
    let before = disk.used();
    let bytes = vec![1; 32 << 20];
    let mut writer = store.write_blob(&lease, &digest(&bytes), None).await.unwrap().unwrap();
    let e = bytes.chunks(1 << 20).find_map(|chunk| writer.write(chunk).err()).unwrap();
    assert!(matches!(e, StoreError::NoSpace { .. }), "{e}");
    writer.abandon().unwrap();
    disk.uses_at_most(before + (1 << 20));
    store.put_blob(&lease, b"fits".to_vec()).await.unwrap();
}
