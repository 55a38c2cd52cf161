//! What a verifier finds beside a manifest: a repository with things that refer to it, and one that cannot be reached.

use async_trait::async_trait;
use davit_model::{auth::ManifestReader, digest::Digest, error::PolicyError};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The most that is read of one blob.
const LARGEST_BLOB: usize = 4 << 20;

/// A repository where much refers to a manifest, and nothing of it is anybody's signature: a manifest whose one layer is
/// there, one whose layer is not, what is no manifest, the largest blob that is read, and a digest that is not there.
#[derive(Debug)]
pub(super) struct Referred {
    blobs: BTreeMap<Digest, Vec<u8>>,
    referrers: Vec<Digest>,
}

impl Referred {
    /// To this manifest.
    pub(super) fn to(subject: &Digest) -> Self {
        let mut made = Self { blobs: BTreeMap::new(), referrers: Vec::new() };
        let text = br#"{"critical":{"type":"nobody's signature"}}"#;
        let (layer, missing) = (made.keep(text), digest_of(b"not there"));
        for layer in [layer, missing.clone()] {
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2 },
                "layers": [{
                    "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
                    "digest": layer,
                    "size": text.len(),
                    "annotations": { "dev.cosignproject.cosign/signature": "bm9ib2R5J3M=" },
                }],
                "subject": { "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": subject, "size": 1 },
            });
            made.refer(manifest.to_string().as_bytes());
        }
        made.refer(b"no manifest");
        made.refer(&vec![b' '; LARGEST_BLOB]);
        made.referrers.push(missing);
        made
    }

    fn keep(&mut self, bytes: &[u8]) -> Digest {
        let digest = digest_of(bytes);
        self.blobs.insert(digest.clone(), bytes.to_vec());
        digest
    }

    fn refer(&mut self, bytes: &[u8]) {
        let digest = self.keep(bytes);
        self.referrers.push(digest);
    }
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

#[async_trait]
impl ManifestReader for Referred {
    async fn referrers(&self, _: &str) -> Result<Vec<Digest>, PolicyError> {
        Ok(self.referrers.clone())
    }

    async fn blob(&self, digest: &Digest) -> Result<Vec<u8>, PolicyError> {
        self.blobs.get(digest).cloned().ok_or_else(|| PolicyError::NotFound(format!("blob {digest}")))
    }
}

/// A repository whose registry does not answer.
#[derive(Debug)]
pub(super) struct Unreachable;

fn unreachable() -> PolicyError {
    PolicyError::Unavailable { retry_ms: 0, message: "the registry does not answer".to_owned() }
}

#[async_trait]
impl ManifestReader for Unreachable {
    async fn referrers(&self, _: &str) -> Result<Vec<Digest>, PolicyError> {
        Err(unreachable())
    }

    async fn blob(&self, _: &Digest) -> Result<Vec<u8>, PolicyError> {
        Err(unreachable())
    }
}
