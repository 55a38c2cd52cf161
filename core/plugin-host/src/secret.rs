//! What holds for secrets whatever the version of the contract: where one may be sent, what of an answer is none, and how
//! one is told from another.

use crate::{hmac::hmac_sha256, origin::Origin};
use davit_model::secret::Secret;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Where a secret may be sent.
#[derive(Clone, Debug)]
pub(crate) enum Bound {
    /// The secret of the site of this name: to the origins that are granted by name, or to the one that it is granted with.
    Site(String),
    /// A credential: to the registry of the challenge, and to the realm that it named.
    Challenge,
    /// Taken out of an answer: back to the origin that gave it.
    Origin(Origin),
}

/// What is no secret in an answer to a request that carried one.
pub(crate) const OPEN_HEADERS: [&str; 5] =
    ["content-type", "content-length", "date", "retry-after", "www-authenticate"];
/// Members of an answer in JSON, likewise.
pub(crate) const OPEN_MEMBERS: [&str; 8] =
    ["error", "error_description", "code", "message", "scope", "token_type", "issued_at", "expires_at"];

/// A key of this process, so that fingerprints say nothing about the bytes.
static FINGERPRINT_KEY: LazyLock<[u8; 32]> = LazyLock::new(|| {
    use std::hash::{BuildHasher, RandomState};
    let mut hash = Sha256::new();
    for _ in 0..4 {
        hash.update(RandomState::new().hash_one(std::process::id()).to_le_bytes());
    }
    hash.finalize().into()
});

/// A short text that is equal for equal secrets while this process runs.
pub(crate) fn fingerprint(secret: &Secret) -> String {
    let mac = hmac_sha256(FINGERPRINT_KEY.as_slice(), secret.reveal().as_bytes());
    mac.iter().take(8).map(|b| format!("{b:02x}")).collect()
}
