//! The shipped storage drivers through the real host: what they plan, and that the same request gives the same plan.

use super::support::{Memory, bench};
use davit_model::{
    id::ContainerId,
    storage::{Facts, LayerChain, LayerRef, RootMount, StorageDriver, StorageStep, WhiteoutStyle},
};
use std::{collections::BTreeMap, sync::Arc};

fn layer(n: u8, place: Option<&str>) -> LayerRef {
    LayerRef { chain_id: format!("{n:064x}"), place: place.map(|p| p.parse().unwrap()) }
}

fn id() -> ContainerId {
    "ab".repeat(32).parse().unwrap()
}

fn facts(features: &[&str]) -> Facts {
    Facts { features: features.iter().map(|f| (*f).to_owned()).collect(), free_bytes: 1 << 30 }
}

async fn driver(name: &str) -> Arc<dyn StorageDriver> {
    bench(Memory::default()).shipped(name).await.storage().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_storage_driver_answers_the_same_twice() {
    for name in ["overlay", "vfs", "btrfs", "erofs"] {
        let driver = driver(name).await;
        let facts = facts(&["overlay", "btrfs", "erofs"]);
        driver.probe(&facts).await.unwrap();
        let fresh = LayerChain(vec![layer(1, Some("base")), layer(2, None)]);
        let done = LayerChain(vec![layer(1, Some("base")), layer(2, Some("top"))]);
        assert_eq!(driver.prepare_layer(&fresh).await.unwrap(), driver.prepare_layer(&fresh).await.unwrap());
        assert_eq!(driver.commit_layer(&fresh).await.unwrap(), driver.commit_layer(&fresh).await.unwrap());
        let root = driver.prepare_root(&id(), Some(&done), &BTreeMap::new()).await.unwrap().plan;
        assert_eq!(root, driver.prepare_root(&id(), Some(&done), &BTreeMap::new()).await.unwrap().plan);
        assert_eq!(driver.promote(&id(), &fresh).await.unwrap(), driver.promote(&id(), &fresh).await.unwrap());
        assert_eq!(
            driver.remove_layer(&done).await.unwrap().plan,
            [StorageStep::Discard { at: "top".parse().unwrap() }],
            "{name}"
        );
        let error = driver.prepare_root(&id(), Some(&fresh), &BTreeMap::new()).await.unwrap_err().to_string();
        assert!(error.contains(&format!("plugin {name}@0.1.0, prepare-root: invalid: layer")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn overlay_writes_layers_independently_and_stacks_127_of_them() {
    let driver = driver("overlay").await;
    let error = driver.probe(&Facts::default()).await.unwrap_err().to_string();
    assert!(error.contains("unsupported") && error.contains("vfs"), "{error}");

    let plan = driver.prepare_layer(&LayerChain(vec![layer(1, None), layer(2, None)])).await.unwrap();
    assert!(!plan.needs_parent_first);
    assert_eq!(plan.whiteouts, WhiteoutStyle::Overlay);
    assert_eq!(plan.steps, [StorageStep::MakeDir { at: plan.into.clone() }]);

    let many: Vec<LayerRef> = (0..127).map(|n| layer(n, Some(&format!("l{n}")))).collect();
    let root = driver.prepare_root(&id(), Some(&LayerChain(many)), &BTreeMap::new()).await.unwrap().plan;
    let RootMount::Overlay { lower, upper, work } = root.mount else { panic!("{root:?}") };
    assert_eq!(lower.len(), 127);
    assert_eq!((lower[0].as_str(), lower[126].as_str()), ("l0", "l126"));
    assert_eq!(root.changes.unwrap(), (upper.clone().unwrap(), WhiteoutStyle::Overlay));
    assert_eq!(root.steps, [upper, work].map(|at| StorageStep::MakeDir { at: at.unwrap() }));

    let empty = driver.prepare_root(&id(), None, &BTreeMap::new()).await.unwrap();
    assert!(matches!(empty.mount, RootMount::Tree { writable: true, .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn vfs_copies_the_parent_and_applies_deletions() {
    let driver = driver("vfs").await;
    driver.probe(&Facts::default()).await.unwrap();
    let base = driver.prepare_layer(&LayerChain(vec![layer(1, None)])).await.unwrap();
    assert_eq!(base.steps, [StorageStep::MakeDir { at: base.into.clone() }]);
    let plan = driver.prepare_layer(&LayerChain(vec![layer(1, Some("base")), layer(2, None)])).await.unwrap();
    assert!(plan.needs_parent_first);
    assert_eq!(plan.whiteouts, WhiteoutStyle::Apply);
    assert_eq!(plan.steps, [StorageStep::CloneTree { src: "base".parse().unwrap(), dst: plan.into.clone() }]);
    let root = driver
        .prepare_root(&id(), Some(&LayerChain(vec![layer(1, Some("base"))])), &BTreeMap::new())
        .await
        .unwrap()
        .plan;
    let RootMount::Tree { at, writable: true } = root.mount else { panic!("{root:?}") };
    assert_eq!(root.steps, [StorageStep::CloneTree { src: "base".parse().unwrap(), dst: at }]);
    assert_eq!(root.changes, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn btrfs_snapshots_the_parent_and_applies_deletions() {
    let driver = driver("btrfs").await;
    let error = driver.probe(&facts(&["overlay"])).await.unwrap_err().to_string();
    assert!(error.contains("unsupported") && error.contains("no btrfs"), "{error}");
    let base = driver.prepare_layer(&LayerChain(vec![layer(1, None)])).await.unwrap();
    assert_eq!(base.steps, [StorageStep::Subvolume { at: base.into.clone() }]);
    let plan = driver.prepare_layer(&LayerChain(vec![layer(1, Some("base")), layer(2, None)])).await.unwrap();
    assert!(plan.needs_parent_first);
    assert_eq!(plan.whiteouts, WhiteoutStyle::Apply);
    assert_eq!(plan.steps, [StorageStep::Snapshot { src: "base".parse().unwrap(), dst: plan.into.clone() }]);
    let root = driver
        .prepare_root(&id(), Some(&LayerChain(vec![layer(1, Some("base"))])), &BTreeMap::new())
        .await
        .unwrap()
        .plan;
    let RootMount::Tree { at, writable: true } = root.mount else { panic!("{root:?}") };
    assert_eq!(root.steps, [StorageStep::Snapshot { src: "base".parse().unwrap(), dst: at }]);
}

#[tokio::test(flavor = "multi_thread")]
async fn erofs_makes_an_image_of_each_layer_and_stacks_them() {
    let driver = driver("erofs").await;
    for missing in [["overlay"], ["erofs"]] {
        let error = driver.probe(&facts(&missing)).await.unwrap_err().to_string();
        assert!(error.contains("unsupported"), "{error}");
    }
    let chain = LayerChain(vec![layer(1, None), layer(2, None)]);
    let plan = driver.prepare_layer(&chain).await.unwrap();
    assert!(!plan.needs_parent_first);
    assert_eq!(plan.whiteouts, WhiteoutStyle::Overlay);
    let commit = driver.commit_layer(&chain).await.unwrap().plan;
    let made = |src: &davit_model::storage::Place, dst: &davit_model::storage::Place| {
        let (src, dst, format) = (src.clone(), dst.clone(), "erofs".to_owned());
        [StorageStep::MakeImage { src: src.clone(), dst, format }, StorageStep::Discard { at: src }]
    };
    assert_eq!(commit.steps, made(&plan.into, &commit.place));
    let below = LayerChain(vec![layer(1, Some("a")), layer(2, Some("b"))]);
    let root = driver.prepare_root(&id(), Some(&below), &BTreeMap::new()).await.unwrap().plan;
    let RootMount::Overlay { lower, upper: Some(upper), work: Some(work) } = root.mount else { panic!("{root:?}") };
    assert_eq!(lower, ["a", "b"].map(|place| place.parse().unwrap()));
    let changes = LayerChain(vec![layer(1, Some("a")), layer(2, Some("b")), layer(3, None)]);
    let promoted = driver.promote(&id(), &changes).await.unwrap().plan;
    assert_eq!(promoted.steps[..2], made(&upper, &promoted.place));
    assert_eq!(promoted.steps[2..], [StorageStep::Discard { at: work }]);
}

#[tokio::test(flavor = "multi_thread")]
async fn overlay_limits_what_a_container_changes_where_a_size_is_said() {
    let config = serde_json::json!({ "size": "3MiB" }).into();
    let bench = bench(Memory { config, ..Memory::default() });
    let driver = bench.shipped("overlay").await.storage().unwrap();
    let error = driver.probe(&facts(&["overlay"])).await.unwrap_err().to_string();
    assert!(error.contains("unsupported") && error.contains("prjquota"), "{error}");
    driver.probe(&facts(&["overlay", "quota"])).await.unwrap();
    let root = driver
        .prepare_root(&id(), Some(&LayerChain(vec![layer(1, Some("base"))])), &BTreeMap::new())
        .await
        .unwrap()
        .plan;
    let RootMount::Overlay { upper: Some(upper), work: Some(work), .. } = root.mount else { panic!("{root:?}") };
    let bytes = 3 << 20;
    let limited = [upper, work].map(|at| [StorageStep::MakeDir { at: at.clone() }, StorageStep::Quota { at, bytes }]);
    assert_eq!(root.steps, limited.concat());
    // What a container's creator wants holds up to what the site gives.
    let wanting = |size: &str| BTreeMap::from([("size".to_owned(), size.to_owned())]);
    let less = driver.prepare_root(&id(), None, &wanting("1m")).await.unwrap().plan;
    assert!(matches!(less.steps.as_slice(), [_, StorageStep::Quota { bytes: 1_048_576, .. }]), "{less:?}");
    for (size, says) in [("1g", "denied: size 1g is more than the 3145728 bytes"), ("big", "invalid: size \"big\"")] {
        let error = driver.prepare_root(&id(), None, &wanting(size)).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let other = BTreeMap::from([("colour".to_owned(), "red".to_owned())]);
    let error = driver.prepare_root(&id(), None, &other).await.unwrap_err().to_string();
    assert!(error.contains("unsupported: the storage driver knows no setting \"colour\""), "{error}");
    for wrong in ["3 apples", "-1GiB", "0", "99999999TiB"] {
        *bench.services.config.lock().unwrap() = serde_json::json!({ "size": wrong });
        let error = driver.prepare_root(&id(), None, &BTreeMap::new()).await.unwrap_err().to_string();
        assert!(error.contains("invalid") && error.contains("is not one such as 10GiB"), "{wrong}: {error}");
    }
}
