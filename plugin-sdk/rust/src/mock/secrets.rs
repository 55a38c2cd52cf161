//! Secrets and credentials by handle. A test puts them together and finds them again in what was sent; a plugin can use
//! them as little as in the engine.

use super::{
    origin,
    site::{around, right},
    types::Error,
};
use sha2::{Digest as _, Sha256};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Where a secret may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// A secret of the site.
    Granted,
    /// A credential: to the registry of the challenge, and to the realm that it named.
    Challenge,
    /// Taken out of an answer: back to the origin that gave it.
    Origin(String),
}

impl Bound {
    /// Whether it may be sent there.
    pub(super) fn allows(&self, to: &str) -> bool {
        match self {
            Self::Granted => true,
            Self::Challenge => around(|site| {
                site.challenge.as_ref().is_some_and(|challenge| {
                    let realm = challenge.params.iter().find(|(key, _)| key == "realm");
                    origin::is_registry(to, &challenge.registry)
                        || realm.is_some_and(|(_, url)| origin::of(url).is_ok_and(|realm| realm == to))
                })
            }),
            Self::Origin(from) => from == to,
        }
    }
}

/// A key, token or password.
#[derive(Clone, Debug)]
pub struct Secret {
    value: String,
    bound: Bound,
}

impl Secret {
    pub(super) fn named(value: &str) -> Self {
        Self { value: value.to_owned(), bound: Bound::Granted }
    }

    pub(super) fn answered(value: &str, from: &str) -> Self {
        Self { value: value.to_owned(), bound: Bound::Origin(from.to_owned()) }
    }

    pub(super) fn value(&self) -> &str {
        &self.value
    }

    pub(super) fn bound(&self) -> &Bound {
        &self.bound
    }

    /// A short text that is equal for equal secrets.
    pub fn fingerprint(&self) -> String {
        let mut hash = DefaultHasher::new();
        self.value.hash(&mut hash);
        format!("{:016x}", hash.finish())
    }

    /// HMAC-SHA256 (RFC 2104) of `data`.
    ///
    /// # Errors
    /// `denied` for a secret that the site does not name.
    pub fn hmac_sha256(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
        if self.bound != Bound::Granted {
            return Err(Error::Denied("only a secret that the site names may sign".to_owned()));
        }
        Ok(hmac(self.value.as_bytes(), data))
    }
}

/// RFC 2104, with the 64-byte blocks of SHA-256.
fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    let hashed;
    let key = if key.len() > block.len() {
        hashed = Sha256::digest(key);
        hashed.as_slice()
    } else {
        key
    };
    block.iter_mut().zip(key).for_each(|(slot, byte)| *slot = *byte);
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(data).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

/// A credential for a registry.
#[derive(Clone, Debug)]
pub struct Credential {
    user: Option<String>,
    kind: &'static str,
    value: String,
}

impl Credential {
    /// A user's password.
    pub fn password(user: &str, password: &str) -> Self {
        Self { user: Some(user.to_owned()), kind: "password", value: password.to_owned() }
    }

    /// An OAuth2 refresh token that the token server knows.
    pub fn identity_token(token: &str) -> Self {
        Self { user: None, kind: "identity-token", value: token.to_owned() }
    }

    /// A ready bearer token.
    pub fn registry_token(token: &str) -> Self {
        Self { user: None, kind: "registry-token", value: token.to_owned() }
    }

    /// The user name; none for tokens.
    pub fn user(&self) -> Option<String> {
        self.user.clone()
    }

    /// `password`, `identity-token` or `registry-token`.
    pub fn kind(&self) -> String {
        self.kind.to_owned()
    }

    pub(super) fn value(&self) -> &str {
        &self.value
    }

    /// User and password for RFC 7617.
    pub(super) fn basic(&self) -> Result<(String, String), Error> {
        if self.kind != "password" {
            return Err(Error::Invalid("the credential is a token, not a user's password".to_owned()));
        }
        let user = self.user.clone().unwrap_or_default();
        if user.contains(':') {
            return Err(Error::Invalid("the user's name has a colon, which Basic cannot carry".to_owned()));
        }
        Ok((user, self.value.clone()))
    }
}

/// A secret of the site's.
///
/// # Errors
/// `denied`, `not-found`.
pub fn named(name: &str) -> Result<Secret, Error> {
    right("secrets", &format!("secret {name:?}"))?;
    around(|site| site.secrets.get(name).cloned())
        .ok_or_else(|| Error::NotFound(format!("the site has no secret {name:?}")))
}

/// The credential that is kept for the registry of the challenge: of the [`super::auth::Login`] that was made last.
///
/// # Errors
/// `denied`.
pub fn stored(server: &str) -> Result<Option<Credential>, Error> {
    let Some(registry) = around(|site| site.challenge.as_ref().map(|challenge| challenge.registry.clone())) else {
        return Err(Error::Denied("stored credentials are for authenticate only".to_owned()));
    };
    right("credentials", "stored credentials")?;
    if server != registry {
        return Err(Error::Denied(format!("a credential for another registry than {registry}")));
    }
    Ok(around(|site| site.stored.get(server).cloned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_rfc_4231() {
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(
            hex(hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
