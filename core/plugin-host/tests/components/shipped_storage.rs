//! The shipped storage drivers through the real host: what they plan, and that the same request gives the same plan.

use super::support::{Memory, bench};
use davit_model::{
    id::ContainerId,
    storage::{Facts, LayerChain, LayerRef, RootMount, StorageDriver, StorageStep, WhiteoutStyle},
};
use std::sync::Arc;

fn layer(n: u8, place: Option<&str>) -> LayerRef {
    LayerRef { chain_id: format!("{n:064x}"), place: place.map(|p| p.parse().unwrap()) }
}

fn id() -> ContainerId {
    "ab".repeat(32).parse().unwrap()
}

async fn driver(name: &str) -> Arc<dyn StorageDriver> {
    bench(Memory::default()).shipped(name).await.storage().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_storage_driver_answers_the_same_twice() {
    for name in ["overlay", "vfs"] {
        let driver = driver(name).await;
        let facts = Facts { features: ["overlay".to_owned()].into(), free_bytes: 1 << 30 };
        driver.probe(&facts).await.unwrap();
        let fresh = LayerChain(vec![layer(1, Some("base")), layer(2, None)]);
        let done = LayerChain(vec![layer(1, Some("base")), layer(2, Some("top"))]);
        assert_eq!(driver.prepare_layer(&fresh).await.unwrap(), driver.prepare_layer(&fresh).await.unwrap());
        assert_eq!(driver.commit_layer(&fresh).await.unwrap(), driver.commit_layer(&fresh).await.unwrap());
        let root = driver.prepare_root(&id(), Some(&done)).await.unwrap().plan;
        assert_eq!(root, driver.prepare_root(&id(), Some(&done)).await.unwrap().plan);
        assert_eq!(driver.promote(&id(), &fresh).await.unwrap(), driver.promote(&id(), &fresh).await.unwrap());
        assert_eq!(
            driver.remove_layer(&done).await.unwrap().plan,
            [StorageStep::Discard { at: "top".parse().unwrap() }],
            "{name}"
        );
        let error = driver.prepare_root(&id(), Some(&fresh)).await.unwrap_err().to_string();
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
    let root = driver.prepare_root(&id(), Some(&LayerChain(many))).await.unwrap().plan;
    let RootMount::Overlay { lower, upper, work } = root.mount else { panic!("{root:?}") };
    assert_eq!(lower.len(), 127);
    assert_eq!((lower[0].as_str(), lower[126].as_str()), ("l0", "l126"));
    assert_eq!(root.changes.unwrap(), (upper.clone().unwrap(), WhiteoutStyle::Overlay));
    assert_eq!(root.steps, [upper, work].map(|at| StorageStep::MakeDir { at: at.unwrap() }));

    let empty = driver.prepare_root(&id(), None).await.unwrap();
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
    let root = driver.prepare_root(&id(), Some(&LayerChain(vec![layer(1, Some("base"))]))).await.unwrap().plan;
    let RootMount::Tree { at, writable: true } = root.mount else { panic!("{root:?}") };
    assert_eq!(root.steps, [StorageStep::CloneTree { src: "base".parse().unwrap(), dst: at }]);
    assert_eq!(root.changes, None);
}
