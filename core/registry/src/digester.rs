//! Hashes content as it passes, in the algorithm of the digest that is expected.

use davit_model::digest::{Algorithm, Digest};
use sha2::{Digest as _, Sha256, Sha512};

/// A digest in the making.
#[derive(Debug)]
pub(crate) enum Digester {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Digester {
    /// An empty one.
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// More content.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(h) => h.update(bytes),
            Self::Sha512(h) => h.update(bytes),
        }
    }

    /// Whether all of it is what `expected` says; else what it is.
    pub(crate) fn check(self, expected: &Digest) -> Result<(), Digest> {
        let hex: String = match self {
            Self::Sha256(h) => h.finalize().iter().map(|b| format!("{b:02x}")).collect(),
            Self::Sha512(h) => h.finalize().iter().map(|b| format!("{b:02x}")).collect(),
        };
        if hex == expected.hex() {
            return Ok(());
        }
        let text = format!("{}:{hex}", expected.algorithm().as_str());
        Err(text.parse().unwrap_or_else(|_| expected.clone()))
    }
}

/// The sha256 digest of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

/// Whether `bytes` are what `expected` says; else what they are.
pub(crate) fn check(bytes: &[u8], expected: &Digest) -> Result<(), Digest> {
    let mut digester = Digester::new(expected.algorithm());
    digester.update(bytes);
    digester.check(expected)
}
