//! What policy reads to decide on trust: what refers to a manifest, from the API, from the fallback tag, and from
//! cosign's own tag.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]

mod support;

use davit_model::{auth::Answer, digest::Digest};
use davit_registry::{Document, Registry, Session};
use serde_json::json;
use sha2::{Digest as _, Sha512};
use std::sync::Arc;
use support::{
    Blobs, FakePolicy, Image, OCI_INDEX, OCI_MANIFEST, RealRegistry, Reply, Scripted, answer, answers, client,
    layer_bytes, reference, session,
};

const COSIGN: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";

/// A session whose policy trusts what something of this artifact type refers to.
fn strict(artifact_type: &str) -> Session {
    let mut policy = FakePolicy::new(|_| Ok(Answer::Anonymous));
    policy.wants_referrer = Some(artifact_type.to_owned());
    session(Arc::new(policy))
}

/// A real registry with an image `x:1`.
async fn with_image(client: &Registry) -> (RealRegistry, Image) {
    let server = RealRegistry::open();
    let image = Image::of(&[layer_bytes(23, 10)]);
    push(client, &server, &image, "x:1").await;
    (server, image)
}

async fn push(client: &Registry, server: &RealRegistry, image: &Image, name: &str) {
    let own = session(answers::anonymous());
    let name = reference(&server.address, name);
    client.push(&own, &name, &image.document, &image.blobs, &image.source, &|_, _| {}).await.unwrap();
}

#[tokio::test]
async fn trust_is_decided_over_what_refers_to_the_manifest() {
    let (client, own) = (client(), session(answers::anonymous()));
    let (server, image) = with_image(&client).await;
    let name = reference(&server.address, "x:1");
    let strict = strict("application/vnd.test.signature");
    let e = client.resolve(&strict, &name, None).await.unwrap_err();
    assert!(e.to_string().contains("is not signed"), "{e}");

    // Debian's registry has no referrers API: the list hangs at the fallback tag.
    let signature = Image::of(&[b"signature".to_vec()]);
    let at = name.with_digest(signature.document.digest.clone());
    client.push(&own, &at, &signature.document, &signature.blobs, &signature.source, &|_, _| {}).await.unwrap();
    let mut entry = signature.document.descriptor();
    entry.artifact_type = Some("application/vnd.test.signature".into());
    let list = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]});
    let list = Document::new(OCI_INDEX, list.to_string());
    let tag = name.with_tag(&format!("sha256-{}", image.document.digest.hex())).unwrap();
    client.push(&own, &tag, &list, &[], &Blobs::default(), &|_, _| {}).await.unwrap();
    assert_eq!(client.resolve(&strict, &name, None).await.unwrap().document, image.document);
}

#[tokio::test]
async fn cosigns_own_tag_is_read_as_a_referrer_of_its_artifact_type() {
    let client = client();
    let (server, image) = with_image(&client).await;
    let name = reference(&server.address, "x:1");
    client.resolve(&strict(COSIGN), &name, None).await.unwrap_err();
    let signatures = Image::of(&[b"signed text".to_vec()]);
    push(&client, &server, &signatures, &format!("x:sha256-{}.sig", image.document.digest.hex())).await;
    assert_eq!(client.resolve(&strict(COSIGN), &name, None).await.unwrap().document, image.document);
    let e = client.resolve(&strict("application/vnd.test.signature"), &name, None).await.unwrap_err();
    assert!(e.to_string().contains("is not signed"), "of no other type: {e}");
}

/// A registry with the referrers API in two pages, whose second has what is wanted. It knows an image, a signature of it
/// at its digest, and no tag that a digest gave its name.
async fn with_api(image: Document, signature: Document, filtered: bool) -> Scripted {
    let entry = |document: &Document, artifact_type: &str| {
        let mut entry = document.descriptor();
        entry.artifact_type = Some(artifact_type.to_owned());
        json!(entry)
    };
    let other = entry(&Document::new(OCI_MANIFEST, "{}"), "application/vnd.test.other");
    let first = if filtered { json!([]) } else { json!([other]) };
    let page = |entries| json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).to_string();
    let pages = [page(first), page(json!([entry(&signature, COSIGN)]))];
    let digests = [image.digest.to_string(), signature.digest.to_string()];
    Scripted::start(move |head| {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let found = |kind: &str, body: &[u8]| Reply::Send(answer("200 OK", &[("content-type", kind)], body));
        if path == "/v2/" {
            found("application/json", b"{}")
        } else if path.contains("/referrers/") && path.contains("page=2") {
            found(OCI_INDEX, pages[1].as_bytes())
        } else if path.contains("/referrers/") {
            let link = format!("<{path}&page=2>; rel=\"next\"");
            Reply::Send(answer("200 OK", &[("content-type", OCI_INDEX), ("link", &link)], pages[0].as_bytes()))
        } else if path.ends_with("/manifests/1") || path.ends_with(&digests[0]) {
            found(OCI_MANIFEST, &image.bytes)
        } else if path.ends_with(&format!("/manifests/{}", digests[1])) {
            found(OCI_MANIFEST, &signature.bytes)
        } else {
            Reply::Send(answer("404 Not Found", &[], b""))
        }
    })
    .await
}

#[tokio::test]
async fn every_page_of_the_api_is_read_and_its_filter_is_not_relied_on() {
    let (image, signature) = (Image::of(&[]).document, Image::of(&[b"signed text".to_vec()]).document);
    for filtered in [true, false] {
        let server = with_api(image.clone(), signature.clone(), filtered).await;
        let name = reference(&server.address.to_string(), "x:1");
        assert_eq!(client().resolve(&strict(COSIGN), &name, None).await.unwrap().document, image);
        let asked = server.heads.lock().unwrap().clone();
        let fallback = format!("/manifests/sha256-{} ", image.digest.hex());
        assert!(!asked.iter().any(|head| head.contains(&fallback)), "the API has answered: {asked:?}");
        let e = client().resolve(&strict("application/vnd.test.signature"), &name, None).await.unwrap_err();
        assert!(e.to_string().contains("is not signed"), "{e}");
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_had_is_no_empty_list() {
    let image = Image::of(&[]).document;
    let server = Scripted::start(move |head| match head.contains("/referrers/") {
        true => Reply::Send(answer("403 Forbidden", &[], b"")),
        false if head.contains("/manifests/1 ") => {
            Reply::Send(answer("200 OK", &[("content-type", OCI_MANIFEST)], &image.bytes))
        }
        false => Reply::Send(answer("404 Not Found", &[], b"")),
    })
    .await;
    let name = reference(&server.address.to_string(), "x:1");
    let e = client().resolve(&strict(COSIGN), &name, None).await.unwrap_err();
    assert!(!e.to_string().contains("is not signed"), "{e}");
}

#[tokio::test]
async fn the_tag_of_a_longer_digest_is_as_long_as_a_tag_may_be() {
    let image = Image::of(&[]).document.bytes;
    let hex: String = Sha512::digest(&image).iter().map(|b| format!("{b:02x}")).collect();
    let digest: Digest = format!("sha512:{hex}").parse().unwrap();
    let by_digest = format!("/manifests/{digest} ");
    let server = Scripted::start(move |head| match head.contains(&by_digest) {
        true => Reply::Send(answer("200 OK", &[("content-type", OCI_MANIFEST)], &image)),
        false => Reply::Send(answer("404 Not Found", &[], b"")),
    })
    .await;
    let name = reference(&server.address.to_string(), "x:1").with_digest(digest);
    let e = client().resolve(&strict(COSIGN), &name, None).await.unwrap_err();
    assert!(e.to_string().contains("is not signed"), "{e}");
    let asked = server.heads.lock().unwrap().clone();
    for tag in [format!("sha512-{} ", &hex[..64]), format!("sha512-{}.sig ", &hex[..64])] {
        assert!(asked.iter().any(|head| head.contains(&format!("/manifests/{tag}"))), "{tag}: {asked:?}");
    }
}
