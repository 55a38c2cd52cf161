//! Documents, names, removal.

use super::*;
use crate::{
    Store, StoreError,
    testing::{Tar, TestImage, digest, overlaying, pull},
};
use davit_model::reference::Reference;
use serde_json::json;

fn descriptor(kind: &str) -> serde_json::Value {
    json!({"mediaType": kind, "digest": digest(b"x"), "size": 1})
}

fn manifest(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut value = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip")],
    });
    change(&mut value);
    value.to_string().into_bytes()
}

#[test]
fn oci_and_docker_manifests_are_read() {
    let oci = Manifest::parse(Some(OCI_MANIFEST), manifest(|_| {})).unwrap();
    assert_eq!(oci.layers.len(), 1);
    let docker = manifest(|m| {
        m["mediaType"] = DOCKER_MANIFEST.into();
        m["layers"] = json!([descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip")]);
    });
    assert_eq!(Manifest::parse(Some(DOCKER_MANIFEST), docker).unwrap().media_type, DOCKER_MANIFEST);
    // OCI leaves the media type out of the document at will.
    let silent = manifest(|m| {
        m.as_object_mut().unwrap().remove("mediaType");
    });
    assert_eq!(Manifest::parse(Some(OCI_MANIFEST), silent).unwrap().media_type, OCI_MANIFEST);
}

#[test]
fn a_document_that_two_readers_could_read_differently_is_refused() {
    // CVE-2021-41190.
    for (bytes, why) in [
        (manifest(|m| m["manifests"] = json!([])), "both a manifest and an index"),
        (manifest(|m| m["mediaType"] = "application/vnd.oci.image.index.v1+json".into()), "came as"),
        (manifest(|m| m["mediaType"] = DOCKER_MANIFEST.into()), "came as"),
        (manifest(|m| m["schemaVersion"] = 1.into()), "schemaVersion is 1"),
        (manifest(|m| m["fsLayers"] = json!([])), "schema 1 is not supported"),
        (manifest(|m| m["layers"] = json!([descriptor("text/html")])), "layer media type"),
        (b"{".to_vec(), "not JSON"),
    ] {
        let e = Manifest::parse(Some(OCI_MANIFEST), bytes).unwrap_err().to_string();
        assert!(e.contains(why), "{e}");
    }
    let index = json!({"schemaVersion": 2, "manifests": []}).to_string().into_bytes();
    assert!(Manifest::parse(None, index).unwrap_err().to_string().contains("it is an index"));
}

#[test]
fn a_configuration_with_dockers_nulls_and_extras_is_read() {
    let image = TestImage::new(&[]);
    let config = Config::parse(image.config.clone()).unwrap();
    assert_eq!(config.digest, image.id());
    assert_eq!(config.docker.shell.unwrap(), ["/bin/sh", "-c"]);
    assert_eq!(config.docker.healthcheck.unwrap()["Interval"], 5);
    assert_eq!(config.spec.config().as_ref().unwrap().cmd().as_ref().unwrap(), &["/bin/true"]);
    let null = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": null}});
    assert!(Config::parse(null.to_string().into_bytes()).unwrap().diff_ids.is_empty());
    let bad = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:.."]}});
    assert!(Config::parse(bad.to_string().into_bytes()).is_err());
}

async fn two_images() -> (tempfile::TempDir, Store, TestImage, TestImage) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (a, b) = (TestImage::new(&[Tar::new().file("a", b"a").done()]), TestImage::new(&[]));
    pull(&store, &overlaying(), &a, "demo/a:1").await.unwrap();
    pull(&store, &overlaying(), &b, "demo/b").await.unwrap();
    (dir, store, a, b)
}

#[tokio::test]
async fn an_image_is_found_by_every_name_that_people_use() {
    let (_dir, store, a, b) = two_images().await;
    let hex = a.id().hex().to_owned();
    let pinned = format!("demo/a@{}", digest(&a.manifest));
    for name in ["demo/a:1", "docker.io/demo/a:1", &pinned, &a.id().to_string(), &hex, &hex[..12], &hex[..7]] {
        assert_eq!(store.resolve(name).await.unwrap().record.id, a.id(), "{name}");
    }
    assert_eq!(store.resolve("demo/b").await.unwrap().record.id, b.id());
    for missing in ["demo/a", "demo/a:2", "ffffffffffffffff", "not a name", "%", "*"] {
        assert!(matches!(store.resolve(missing).await, Err(StoreError::NotFound { .. })), "{missing}");
    }
    assert_eq!(store.resolve(&pinned).await.unwrap().repo_digests[0].familiar(), pinned);
}

#[tokio::test]
async fn an_id_prefix_that_fits_two_images_is_ambiguous() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut seen = std::collections::BTreeMap::new();
    // With 17 images two share a first digit.
    let twin = 'found: {
        for n in 0..17u8 {
            let image = TestImage::new(&[Tar::new().file("n", &[n]).done()]);
            pull(&store, &overlaying(), &image, &format!("demo/n:{n}")).await.unwrap();
            if seen.insert(image.id().hex()[..1].to_owned(), n).is_some() {
                break 'found image.id().hex()[..1].to_owned();
            }
        }
        panic!("17 images with 16 first digits");
    };
    // A reference of that name does not exist, so the digit is a prefix.
    assert!(matches!(store.resolve(&twin).await, Err(StoreError::Ambiguous(_))));
}

#[tokio::test]
async fn tags_come_move_and_go() {
    let (_dir, store, a, b) = two_images().await;
    let name: Reference = "demo/x:1".parse().unwrap();
    store.tag(&a.id(), &name).await.unwrap();
    assert_eq!(store.resolve("demo/a:1").await.unwrap().tags(), ["demo/a:1", "demo/x:1"]);
    store.tag(&b.id(), &name).await.unwrap();
    assert_eq!(store.resolve("demo/x:1").await.unwrap().record.id, b.id());
    assert_eq!(store.untag(&name).await.unwrap(), b.id());
    assert!(matches!(store.untag(&name).await, Err(StoreError::NotFound { .. })));
    assert!(store.tag(&digest(b"none"), &name).await.is_err());
    assert!(store.tag(&a.id(), &name.with_digest(digest(b"d"))).await.is_err());
}

#[tokio::test]
async fn an_image_in_use_stays_and_an_unused_one_goes_with_its_blobs() {
    let (_dir, store, a, b) = two_images().await;
    let driver = overlaying();
    let e = store.remove_image(&a.id(), |_| Some("container web".into())).await.unwrap_err();
    assert!(e.to_string().ends_with("is in use: container web"), "{e}");
    let removed = store.remove_image(&a.id(), |_| None).await.unwrap();
    assert_eq!(removed.untagged.iter().map(Reference::familiar).collect::<Vec<_>>(), ["demo/a:1"]);
    let collected = store.collect(&[driver]).await.unwrap();
    assert_eq!((collected.blobs.len(), collected.layers.len()), (3, 1), "manifest, configuration, layer");
    assert!(store.blobs().size(&b.id()).unwrap().is_some());
    assert!(store.check().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_layer_that_nobody_needs_goes_also_where_its_driver_has_left_the_site() {
    let (dir, store, a, b) = two_images().await;
    for image in [&a, &b] {
        store.remove_image(&image.id(), |_| None).await.unwrap();
    }
    let collected = store.collect(&[]).await.unwrap();
    assert!(collected.errors.is_empty() && !collected.layers.is_empty() && collected.bytes > 0, "{collected:?}");
    let area = dir.path().join("areas/overlaying");
    let left: Vec<_> = std::fs::read_dir(area).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [".trash"]);
    assert!(store.check().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lease_keeps_what_no_record_names_yet() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let lease = store.lease("test").await.unwrap();
    let blob = store.put_blob(&lease, b"wanted".to_vec()).await.unwrap();
    assert!(store.collect(&[]).await.unwrap().blobs.is_empty());
    lease.release().await.unwrap();
    assert_eq!(store.collect(&[]).await.unwrap().blobs, [blob]);
}

#[tokio::test]
async fn a_blob_stays_as_long_as_somebody_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let blob = store.blobs().put(b"a component").unwrap();
    let other = store.blobs().put(b"another").unwrap();
    let hold = |owner: &'static str, blobs: Vec<davit_model::digest::Digest>| {
        store.db().write(crate::Durability::Full, move |c| crate::hold_in(c, owner, &blobs))
    };
    hold("p", vec![blob.clone(), other.clone()]).await.unwrap();
    hold("q", vec![blob.clone()]).await.unwrap();
    assert!(store.collect(&[]).await.unwrap().blobs.is_empty());
    hold("p", vec![]).await.unwrap();
    assert_eq!(store.collect(&[]).await.unwrap().blobs, [other], "the other has an owner left");
    hold("q", vec![]).await.unwrap();
    assert_eq!(store.collect(&[]).await.unwrap().blobs, [blob]);
}

#[tokio::test]
async fn two_manifests_of_one_configuration_are_one_image() {
    let (_dir, store, a, _) = two_images().await;
    let mut value: serde_json::Value = serde_json::from_slice(&a.manifest).unwrap();
    value["annotations"] = json!({"other": "bytes"});
    let other = Manifest::parse(None, value.to_string().into_bytes()).unwrap();
    let record = store.put_image(&other, &[], false, None).await.unwrap();
    assert_eq!(record.manifests.len(), 2);
    store.collect(&[]).await.unwrap();
    assert!(store.blob_bytes(&digest(&a.manifest)).await.is_ok(), "both manifests are kept");
}

#[tokio::test]
async fn a_manifest_and_a_configuration_that_do_not_fit_are_refused() {
    let (_dir, store, a, _) = two_images().await;
    let mut value: serde_json::Value = serde_json::from_slice(&a.manifest).unwrap();
    value["layers"] = json!([]);
    let manifest = Manifest::parse(None, value.to_string().into_bytes()).unwrap();
    let e = store.put_image(&manifest, &[], false, None).await.unwrap_err();
    assert!(e.to_string().contains("has 0 layers, its configuration names 1"), "{e}");
}
