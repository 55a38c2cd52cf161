//! A process is killed at each of its steps, for real, and the next one must settle what it left.

use crate::{
    LayerSource, Store, StoreError,
    db::state::get_in,
    steps::Task,
    testing::{
        Btrfs, Quotas, Tar, TestImage, container, copying, digest, imaging, limiting, overlaying, pull, skipped,
        snapshotting,
    },
};
use davit_model::{
    journal::Journal,
    state::{StateWrite, StateWrites},
    storage::{StorageDriver, StorageStep},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Cursor,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

const ROOT: &str = "DAVIT_TEST_KILL_ROOT";
const DRIVER: &str = "DAVIT_TEST_KILL_DRIVER";

fn image() -> TestImage {
    TestImage::new(&[Tar::new().file("etc/a", b"1").done(), Tar::new().file("etc/.wh.a", b"").file("b", b"2").done()])
}

fn driver(name: &str) -> Arc<dyn StorageDriver> {
    match name {
        "copying" => copying(),
        "overlaying" => overlaying(),
        "snapshotting" => snapshotting(),
        "imaging" => imaging(),
        "limiting" => limiting(),
        other => panic!("{other} is no driver of these tests"),
    }
}

/// A layer that is not what it should be: its plan is undone.
async fn wrong_layer(store: &Store, driver: &Arc<dyn StorageDriver>) {
    let bytes = Tar::new().file("x", b"x").done();
    let lease = store.lease("test").await.unwrap();
    let source = LayerSource::new(digest(b"other"), "", move || Ok(Box::new(Cursor::new(bytes))));
    let e = store.ensure_layers(driver, &lease, vec![source]).await.unwrap_err();
    assert!(matches!(e, StoreError::WrongDigest { .. }), "{e}");
    lease.release().await.unwrap();
}

async fn whole_life(store: &Store, driver: &Arc<dyn StorageDriver>) {
    let image = image();
    wrong_layer(store, driver).await;
    pull(store, driver, &image, "demo/a:1").await.unwrap();
    store.prepare_root(driver, &container(1), &image.diff_ids, &BTreeMap::new()).await.unwrap();
    store.finish_root(&container(1), |_| Ok(())).await.unwrap();
    store.remove_root(&container(1)).await.unwrap();
    store.remove_image(&image.id(), |_| None).await.unwrap();
    let collected = store.collect(std::slice::from_ref(driver)).await.unwrap();
    assert!(collected.errors.is_empty(), "{:?}", collected.errors);
}

#[tokio::test]
#[ignore = "is run, and killed, by the test below"]
async fn a_life_to_be_killed() {
    let Some(root) = std::env::var_os(ROOT) else {
        println!("skipped: only the kill test gives a root");
        return;
    };
    let store = Store::open(Path::new(&root)).unwrap();
    whole_life(&store, &driver(&std::env::var(DRIVER).unwrap())).await;
}

/// A plan whose plugin wants to keep something.
async fn plan_with_state(store: &Store) {
    let area = store.area(copying().as_ref()).unwrap();
    let writes = vec![StateWrite { key: "plans".into(), expected: None, new: Some(b"1".to_vec()) }];
    let state = StateWrites { plugin: "copying".into(), writes };
    let steps = vec![StorageStep::MakeDir { at: "made".parse().unwrap() }];
    let task = Task::begin(store, &area, "root:a".into(), steps, state).await.unwrap();
    task.commit(crate::Durability::Normal, |_| Ok(())).await.unwrap();
}

#[tokio::test]
#[ignore = "is run, and killed, by the test below"]
async fn a_plan_to_be_killed() {
    let Some(root) = std::env::var_os(ROOT) else {
        println!("skipped: only the kill test gives a root");
        return;
    };
    plan_with_state(&Store::open(Path::new(&root)).unwrap()).await;
}

/// True where it was killed at its `nth` fault point, false where it lived through with fewer.
fn live(root: &Path, life: &str, driver: &str, nth: u32) -> bool {
    let fault = root.join("fault");
    std::fs::write(&fault, nth.to_string()).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", &format!("recover::tests::{life}")])
        .env(ROOT, root)
        .env(DRIVER, driver)
        .env("DAVIT_FAULT_FILE", &fault)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success() || status.signal() == Some(9), "{driver}, point {nth}: {status}");
    !status.success()
}

/// The name of the fault point that was passed last.
fn last_point(root: &Path) -> String {
    let passed = std::fs::read_to_string(root.join("fault.passed")).unwrap();
    passed.lines().last().unwrap().to_owned()
}

fn listing(dir: &Path) -> Vec<String> {
    // Not there yet where the kill came first.
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn settles(root: &Path, name: &str, fault: &str) {
    let store = Store::open(root).unwrap();
    let found = store.recover().await.unwrap();
    assert_eq!(found.errors, Vec::<String>::new(), "{fault}");
    assert!(store.journal().open().await.unwrap().is_empty(), "{fault}");
    let known: Vec<String> = store
        .db()
        .read_blocking::<_, StoreError>(|c| {
            let mut rows = c.prepare("SELECT name FROM place ORDER BY name")?;
            Ok(rows.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?)
        })
        .unwrap();
    let area = root.join("areas").join(name);
    let mut there = listing(&area);
    there.retain(|n| n != ".trash");
    assert_eq!(there, known, "{fault}");
    assert!(listing(&area.join(".trash")).is_empty(), "{fault}");
    // A second look finds nothing.
    assert_eq!(store.recover().await.unwrap(), Default::default(), "{fault}");
    // And the same life can be lived again, whole, to its end.
    store.remove_root(&container(1)).await.unwrap();
    whole_life(&store, &driver(name)).await;
}

#[tokio::test]
async fn a_kill_at_any_step_with_quotas_is_settled() {
    let Some(disk) = Quotas::new("ext4") else { return skipped("this kernel mounts no ext4 with prjquota") };
    killed_also_at("store.quota-marked", "limiting", &disk.path()).await;
}

/// Lives with one driver, killed at every point; data roots are made in `on`. Answers the names of the points.
async fn killed_everywhere(name: &str, on: &Path) -> BTreeSet<String> {
    let mut passed = BTreeSet::new();
    for nth in 1.. {
        let dir = tempfile::tempdir_in(on).unwrap();
        if !live(dir.path(), "a_life_to_be_killed", name, nth) {
            assert!(nth > 60, "{name}: a life has only {nth} fault points");
            return passed;
        }
        let point = last_point(dir.path());
        settles(dir.path(), name, &format!("{name}, point {nth}: {point}")).await;
        passed.insert(point);
    }
    unreachable!("a life ends")
}

/// As [`killed_everywhere`], and at this point. Where threads pass points at the same time, the one that a life is killed
/// at may be the other in each of them: then they are lived again.
async fn killed_also_at(point: &str, name: &str, on: &Path) {
    for _ in 0..5 {
        if killed_everywhere(name, on).await.contains(point) {
            return;
        }
    }
    panic!("{name}: no life was killed at {point}");
}

#[tokio::test]
async fn a_kill_at_any_step_leaves_nothing_that_the_next_start_cannot_settle() {
    for name in ["overlaying", "copying"] {
        killed_everywhere(name, &std::env::temp_dir()).await;
    }
}

#[tokio::test]
async fn a_kill_at_any_step_with_snapshots_is_settled() {
    let Some(disk) = Btrfs::new() else { return skipped("this kernel has no btrfs") };
    killed_also_at("store.snapshot", "snapshotting", &disk.path()).await;
    assert_eq!(disk.subvolumes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_kill_at_any_step_with_images_is_settled() {
    killed_also_at("store.image", "imaging", &std::env::temp_dir()).await;
}

#[tokio::test]
async fn what_a_plugin_keeps_is_there_with_its_plans_journal_entry_and_not_without() {
    let (mut with, mut without) = (0, 0);
    for nth in 1.. {
        let dir = tempfile::tempdir().unwrap();
        if !live(dir.path(), "a_plan_to_be_killed", "copying", nth) {
            break;
        }
        let store = Store::open(dir.path()).unwrap();
        let state = store.db().read_blocking(|c| get_in(c, "copying", "plans")).unwrap();
        let entries = store.journal().open().await.unwrap();
        let planned = entries.iter().any(|(_, e)| !e.body["steps"].as_array().unwrap().is_empty());
        let done = dir.path().join("areas/copying/made").exists();
        assert_eq!(state.is_some(), planned || done, "point {nth}: {}", last_point(dir.path()));
        if state.is_some() { with += 1 } else { without += 1 }
    }
    assert!(with > 2 && without > 2, "killed {with} times after the entry, {without} times before");
}

#[tokio::test]
async fn a_place_that_no_record_names_is_garbage() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.area(copying().as_ref()).unwrap();
    let stray = dir.path().join("areas/copying/stray");
    std::fs::create_dir_all(stray.join("deep")).unwrap();
    assert_eq!(store.recover().await.unwrap().garbage, ["copying/stray"]);
    assert!(!stray.exists());
}

#[tokio::test]
async fn layers_that_never_reached_the_disk_are_forgotten_after_a_power_cut() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    pull(&store, &copying(), &image(), "demo/a:1").await.unwrap();
    assert_eq!(store.recover().await.unwrap(), Default::default());
    let other_boot = |c: &rusqlite::Connection| {
        c.execute("UPDATE layer SET boot = 'another' WHERE parent IS NULL", [])?;
        Ok::<_, StoreError>(())
    };
    store.db().write(crate::Durability::Full, other_boot).await.unwrap();
    let found = store.recover().await.unwrap();
    assert_eq!((found.undone.len(), found.garbage.len()), (2, 2), "the layer and what stands on it: {found:?}");
    pull(&store, &copying(), &image(), "demo/a:1").await.unwrap();
    assert!(store.prepare_root(&copying(), &container(1), &image().diff_ids, &BTreeMap::new()).await.is_ok());
}

#[tokio::test]
async fn a_root_that_no_container_names_goes_and_a_finished_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for n in [1, 2] {
        store.prepare_root(&overlaying(), &container(n), &[], &BTreeMap::new()).await.unwrap();
    }
    store.finish_root(&container(2), |_| Ok(())).await.unwrap();
    assert!(store.finish_root(&container(3), |_| Ok(())).await.is_err());
    assert_eq!(store.recover().await.unwrap().undone, [format!("root:{}", container(1))]);
    assert!(store.root(&container(1)).await.unwrap().is_none());
    assert_eq!(listing(&dir.path().join("areas/overlaying")).len(), 3, "trash, upper and work of the second");
}

#[tokio::test]
async fn a_blob_in_flight_outlives_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let lease = store.lease("pull").await.unwrap();
    let bytes = vec![7; 100_000];
    let mut writer = store.write_blob(&lease, &digest(&bytes), Some(100_000)).await.unwrap().unwrap();
    writer.write(&bytes[..60_000]).unwrap();
    drop((writer, lease, store));
    let store = Store::open(dir.path()).unwrap();
    store.recover().await.unwrap();
    store.collect(&[]).await.unwrap();
    let lease = store.lease("pull").await.unwrap();
    let mut writer = store.write_blob(&lease, &digest(&bytes), Some(100_000)).await.unwrap().unwrap();
    assert_eq!(writer.offset(), 60_000);
    writer.write(&bytes[60_000..]).unwrap();
    writer.finish().unwrap();
    assert!(store.write_blob(&lease, &digest(&bytes), Some(100_000)).await.unwrap().is_none());
}

#[tokio::test]
async fn what_a_killed_daemon_leased_goes_over_to_the_next_try_and_layers_alone_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let pull = store.lease("pull a").await.unwrap();
    pull.add_blob(&digest(b"blob")).await.unwrap();
    store.lease("prepare root").await.unwrap().add_layer("overlaying", "layer").await.unwrap();
    drop((pull, store));
    let store = Store::open(dir.path()).unwrap();
    store.recover().await.unwrap();
    let leases = |store: &Store| {
        let count = |c: &rusqlite::Connection| {
            let count = |table| c.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get::<_, i64>(0));
            Ok::<_, StoreError>((count("lease")?, count("leased")?))
        };
        store.db().read_blocking(count).unwrap()
    };
    assert_eq!(leases(&store), (1, 1), "only the blob is worth keeping");
    let again = store.lease("pull a").await.unwrap();
    assert_eq!(leases(&store), (1, 1));
    let second = store.lease("pull a").await.unwrap();
    assert_eq!(leases(&store), (2, 1), "one of this daemon is nobody's to take over");
    second.release().await.unwrap();
    again.release().await.unwrap();
    assert_eq!(leases(&store), (0, 0));
}

#[test]
fn a_second_daemon_on_the_same_root_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Store::open(dir.path()).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Locked(_))));
}
