//! The shipped verifier through the real host, over signatures that OpenSSL made (`tests/signatures`).

use super::support::{Memory, bench};
use async_trait::async_trait;
use davit_model::{
    auth::{Answer, Challenge, ManifestReader, ManifestView, RegistryAuth, Scheme},
    digest::Digest,
    error::{PolicyError, PortError},
    id::Caller,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, sync::Arc};

const SIMPLE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What clients write into the list at a fallback tag that look at a bundle's config.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

macro_rules! signed {
    ($name:literal) => {
        include_str!(concat!("../signatures/", $name))
    };
}

const P256: &str = signed!("p256.pub");
const ED25519: &str = signed!("ed25519.pub");
const OTHER: &str = signed!("other.pub");
const IMAGE: &str = signed!("image.json");

fn digest(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

/// A registry's content beside one image.
#[derive(Debug, Default)]
struct Beside {
    /// By artifact type.
    referrers: BTreeMap<String, Vec<Digest>>,
    blobs: BTreeMap<Digest, Vec<u8>>,
    /// What every question for referrers is answered with instead.
    broken: Option<PolicyError>,
}

impl Beside {
    /// One manifest of signatures: of each a text with its signature.
    fn signed(signatures: &[(&str, &str)]) -> Self {
        Self::default().and(signatures)
    }

    fn and(mut self, signatures: &[(&str, &str)]) -> Self {
        let mut layers = Vec::new();
        for (text, signature) in signatures {
            layers.push(json!({
                "mediaType": PAYLOAD,
                "digest": self.add(text.as_bytes()),
                "size": text.len(),
                "annotations": { "dev.cosignproject.cosign/signature": signature },
            }));
        }
        let manifest = json!({ "schemaVersion": 2, "config": {}, "layers": layers }).to_string();
        self.refer(SIMPLE, manifest.as_bytes());
        self
    }

    /// A bundle in a manifest, in a list that calls it so.
    fn bundled(artifact_type: &str, bundle: &str) -> Self {
        let mut beside = Self::default();
        let layer = json!({ "mediaType": BUNDLE, "digest": beside.add(bundle.as_bytes()), "size": bundle.len() });
        let manifest = json!({ "schemaVersion": 2, "artifactType": BUNDLE, "config": {}, "layers": [layer] });
        beside.refer(artifact_type, manifest.to_string().as_bytes());
        beside
    }

    fn refer(&mut self, artifact_type: &str, manifest: &[u8]) {
        let manifest = self.add(manifest).parse().unwrap();
        self.referrers.entry(artifact_type.to_owned()).or_default().push(manifest);
    }

    fn add(&mut self, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        self.blobs.insert(digest.clone(), bytes.to_vec());
        digest.to_string()
    }
}

#[async_trait]
impl ManifestReader for Beside {
    async fn referrers(&self, artifact_type: &str) -> Result<Vec<Digest>, PolicyError> {
        match &self.broken {
            Some(error) => Err(error.clone()),
            None => Ok(self.referrers.get(artifact_type).cloned().unwrap_or_default()),
        }
    }
    async fn blob(&self, digest: &Digest) -> Result<Vec<u8>, PolicyError> {
        self.blobs.get(digest).cloned().ok_or_else(|| PolicyError::NotFound(format!("blob {digest}")))
    }
}

async fn verifier(config: Value) -> Arc<dyn RegistryAuth> {
    let bench = bench(Memory { config: config.into(), ..Memory::default() });
    bench.shipped("signatures").await.registry_auth().unwrap()
}

fn keys(key: &str) -> Value {
    json!({ "keys": [{ "pattern": "registry.example/team/*", "key": key }] })
}

fn image(reference: &str) -> ManifestView {
    ManifestView {
        reference: reference.to_owned(),
        digest: digest(b"an image"),
        media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
    }
}

async fn judged(config: Value, beside: &Beside) -> Result<(), PortError> {
    verifier(config).await.verify(&image("registry.example/team/app:1"), beside).await
}

async fn refused(config: Value, beside: &Beside) -> String {
    match judged(config, beside).await.unwrap_err().error {
        PolicyError::Denied(text) => text,
        other => panic!("not denied but {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_the_pattern_s_key_signed_is_trusted() {
    let ecdsa = Beside::signed(&[(IMAGE, signed!("image.p256.sig"))]);
    judged(keys(P256), &ecdsa).await.unwrap();
    let ed25519 = Beside::signed(&[(IMAGE, signed!("image.ed25519.sig"))]);
    judged(keys(ED25519), &ed25519).await.unwrap();
    // While a key is being changed, both are good; and a text in a site's file may be indented.
    let both = format!("{OTHER}\n{}", ED25519.replace('\n', "\n    "));
    judged(keys(&both), &ed25519).await.unwrap();
    // Others may have signed it too, and what somebody hung there that is no signature does not harm.
    let mut among_others = Beside::signed(&[("a text", "no base64"), (IMAGE, "AAAA")]);
    among_others.refer(SIMPLE, b"no manifest");
    among_others.refer(SIMPLE, br#"{"layers":[{"mediaType":"text/plain","digest":"sha256:0"}]}"#);
    among_others.referrers.entry(SIMPLE.to_owned()).or_default().push(digest(b"gone"));
    judged(keys(P256), &among_others.and(&[(IMAGE, signed!("image.p256.sig"))])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_a_signature_however_its_list_calls_it() {
    for artifact_type in [BUNDLE, EMPTY] {
        judged(keys(P256), &Beside::bundled(artifact_type, signed!("bundle.json"))).await.unwrap();
    }
    let changed = signed!("bundle.json").replace("vnd.in-toto", "vnd.other");
    let other = digest(b"another image").to_string();
    for (key, bundle, said) in [
        (OTHER, signed!("bundle.json"), "by another key"),
        (P256, changed.as_str(), "by another key"),
        (P256, signed!("another-image.bundle.json"), other.as_str()),
        (P256, signed!("another-claim.bundle.json"), "slsa.dev/provenance"),
        (P256, "{}", "no bundle"),
    ] {
        let text = refused(keys(key), &Beside::bundled(BUNDLE, bundle)).await;
        assert!(text.contains("its one signature") && text.contains(said), "{said}: {text}");
    }
    let named = json!({ "keys": [{ "pattern": "*", "key": P256, "identity": "registry.example/team/*" }] });
    let text = refused(named, &Beside::bundled(BUNDLE, signed!("bundle.json"))).await;
    assert!(text.contains("says no name"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_for_this_image_by_this_key_is_refused_with_image_key_and_reason() {
    let (own, other) = (digest(b"an image").to_string(), digest(b"another image").to_string());
    let unsigned = refused(keys(P256), &Beside::default()).await;
    for said in ["registry.example/team/app:1", own.as_str(), "registry.example/team/*", "not signed"] {
        assert!(unsigned.contains(said), "{said}: {unsigned}");
    }
    let changed = IMAGE.replace("team/app", "team/apx");
    for (text, signature, said) in [
        (IMAGE, signed!("image.ed25519.sig"), "by another key"),
        (IMAGE, signed!("another-image.p256.sig"), "by another key"),
        (changed.as_str(), signed!("image.p256.sig"), "by another key"),
        (signed!("another-image.json"), signed!("another-image.p256.sig"), other.as_str()),
        (signed!("another-kind.json"), signed!("another-kind.p256.sig"), "atomic container signature"),
        (signed!("no.json"), signed!("no.p256.sig"), "cannot be read"),
        (IMAGE, "no base64!", "no signature"),
        (IMAGE, "", "by another key"),
    ] {
        let text = refused(keys(P256), &Beside::signed(&[(text, signature)])).await;
        assert!(text.contains("its one signature") && text.contains(said), "{said}: {text}");
    }
    let text = refused(keys(OTHER), &Beside::signed(&[(IMAGE, signed!("image.p256.sig")), (IMAGE, "AAAA")])).await;
    assert!(text.contains("of its 2 signatures none will do"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_site_does_not_expect_is_refused() {
    let named = |identity: &str| json!({ "keys": [{ "pattern": "registry.example/team/*", "key": P256, "identity": identity }] });
    let beside = Beside::signed(&[(IMAGE, signed!("image.p256.sig"))]);
    judged(named("registry.example/team/*"), &beside).await.unwrap();
    let text = refused(named("registry.example/team/other"), &beside).await;
    assert!(text.contains("for the name registry.example/team/app"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_pattern_matches_is_denied_unless_the_site_permits_it() {
    let elsewhere = image("localhost:5000/app:1");
    let nothing = Beside::default();
    let error = verifier(keys(P256)).await.verify(&elsewhere, &nothing).await.unwrap_err();
    assert!(matches!(&error.error, PolicyError::Denied(text) if text.contains("localhost:5000/app")), "{error}");
    let mut permits = keys(P256);
    permits["default"] = json!("permit");
    let permits = verifier(permits).await;
    permits.verify(&elsewhere, &nothing).await.unwrap();
    permits.verify(&image("registry.example/team/app:1"), &nothing).await.unwrap_err();
    // The first pattern that matches decides, with its own key.
    let first = json!({ "keys": [
        { "pattern": "registry.example/team/app", "key": OTHER },
        { "pattern": "registry.example", "key": P256 },
    ]});
    let beside = Beside::signed(&[(IMAGE, signed!("image.p256.sig"))]);
    refused(first.clone(), &beside).await;
    verifier(first).await.verify(&image("registry.example/team/b@sha256:0"), &beside).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_refused_where_images_must_be_pinned() {
    let mut config = keys(P256);
    config["unpinned"] = json!("refuse");
    let beside = Beside::signed(&[(IMAGE, signed!("image.p256.sig"))]);
    let text = refused(config.clone(), &beside).await;
    assert!(text.contains("not pinned") && text.contains(&digest(b"an image").to_string()), "{text}");
    let pinned = image(&format!("registry.example/team/app:1@{}", digest(b"an image")));
    verifier(config).await.verify(&pinned, &beside).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_cannot_be_enforced_trusts_nothing() {
    let beside = Beside::signed(&[(IMAGE, signed!("image.p256.sig"))]);
    let mut misspelt = keys(P256);
    misspelt["defualt"] = json!("permit");
    for config in [json!({}), json!({ "keys": [{ "pattern": "*" }] }), misspelt] {
        let error = judged(config, &beside).await.unwrap_err();
        assert!(matches!(error.error, PolicyError::Invalid(_)), "{error}");
    }
    let more = format!("{P256}garbage");
    for bad in ["", "no key", signed!("p384.pub"), more.as_str()] {
        let error = judged(keys(bad), &beside).await.unwrap_err();
        assert!(matches!(&error.error, PolicyError::Invalid(t) if t.contains("registry.example/team/*")), "{error}");
    }
    let broken = PolicyError::Unavailable { retry_ms: 7, message: "down".to_owned() };
    let error = judged(keys(P256), &Beside { broken: Some(broken.clone()), ..beside }).await.unwrap_err();
    assert_eq!(error.error, broken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_names_thousands_of_signatures_is_looked_at_only_so_far() {
    let mut many = Beside::default();
    for n in 0..2000 {
        many = many.and(&[(&format!("text {n}"), signed!("image.p256.sig"))]);
    }
    let text = refused(keys(P256), &many).await;
    assert!(text.contains("of its 64 signatures none will do"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_are_answered_as_usual() {
    let auth = verifier(keys(P256)).await;
    let first = Challenge {
        registry: "registry.example".to_owned(),
        scheme: Scheme::None,
        params: BTreeMap::new(),
        repository: Some("team/app".to_owned()),
        actions: vec!["pull".to_owned()],
        offered: None,
        caller: Caller("uid:1000".to_owned()),
        attempt: 1,
    };
    assert_eq!(auth.authenticate(&first).await.unwrap(), Answer::Anonymous);
}
