//! The credential that a client sends along: `X-Registry-Auth`, base64url of a JSON object.
//!
//! Docker's own client pads; others do not; some send standard base64. All are read.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// The header's name.
pub const HEADER: &str = "X-Registry-Auth";
/// The header with credentials for several registries, which a build sends for its bases.
pub const CONFIG_HEADER: &str = "X-Registry-Config";
/// The server name that stands for Docker Hub in credential files, for historic reasons.
pub const HUB: &str = "https://index.docker.io/v1/";

const CODEC: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A registry credential. Empty fields are left out; all empty is "anonymous".
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegistryAuth {
    /// The user.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// The password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub password: String,
    /// Base64 of `user:password`, as credential files hold it. Unpacked by [`RegistryAuth::decode`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth: String,
    /// Historic; sent by old clients, ignored.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// The registry it is for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub serveraddress: String,
    /// A refresh token instead of a password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub identitytoken: String,
    /// A ready bearer token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub registrytoken: String,
}

/// Shows who and where, never a secret.
impl fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryAuth")
            .field("username", &self.username)
            .field("serveraddress", &self.serveraddress)
            .finish_non_exhaustive()
    }
}

/// The header is no credential. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAuth {
    /// Not base64.
    #[error("invalid X-Registry-Auth header: not base64url")]
    Base64,
    /// Not a JSON object of the known fields.
    #[error("invalid X-Registry-Auth header: not a credential in JSON")]
    Json,
    /// `auth` is not base64 of `user:password`.
    #[error("invalid credential: `auth` is not base64 of user:password")]
    Pair,
}

impl RegistryAuth {
    /// Whether it says anything that a registry could check.
    pub fn is_anonymous(&self) -> bool {
        self.username.is_empty()
            && self.auth.is_empty()
            && self.identitytoken.is_empty()
            && self.registrytoken.is_empty()
    }

    /// The header's value.
    pub fn encode(&self) -> String {
        CODEC.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads a header's value. Empty is anonymous.
    ///
    /// # Errors
    /// [`BadAuth`] with the layer that was wrong.
    pub fn decode(header: &str) -> Result<Self, BadAuth> {
        let text: String = header.trim().chars().map(to_url_safe).collect();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let json = CODEC.decode(text).map_err(|_| BadAuth::Base64)?;
        let read: Option<Self> = serde_json::from_slice(&json).map_err(|_| BadAuth::Json)?;
        read.unwrap_or_default().with_pair_unpacked()
    }

    /// `auth` taken apart into user and password, where these are not there already.
    ///
    /// # Errors
    /// [`BadAuth::Pair`] where `auth` is no such thing.
    pub fn with_pair_unpacked(mut self) -> Result<Self, BadAuth> {
        if self.username.is_empty() && !self.auth.is_empty() {
            let text: String = self.auth.trim().chars().map(to_url_safe).collect();
            let bytes = CODEC.decode(text).map_err(|_| BadAuth::Pair)?;
            let pair = String::from_utf8(bytes).map_err(|_| BadAuth::Pair)?;
            let (user, password) = pair.split_once(':').ok_or(BadAuth::Pair)?;
            self.username = user.to_owned();
            self.password = password.trim_end_matches('\0').to_owned();
        }
        self.auth.clear();
        Ok(self)
    }

    /// `user:password` in base64, as credential files hold it.
    pub fn pair(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", self.username, self.password))
    }
}

/// The value of [`CONFIG_HEADER`]: credentials by server.
pub fn encode_config(credentials: &BTreeMap<String, RegistryAuth>) -> String {
    CODEC.encode(serde_json::to_vec(credentials).unwrap_or_default())
}

/// Reads a value of [`CONFIG_HEADER`]. Servers are named as registries are in references.
///
/// # Errors
/// [`BadAuth`] with the layer that was wrong.
pub fn decode_config(header: &str) -> Result<BTreeMap<String, RegistryAuth>, BadAuth> {
    let text: String = header.trim().chars().map(to_url_safe).collect();
    if text.is_empty() {
        return Ok(BTreeMap::new());
    }
    let json = CODEC.decode(text).map_err(|_| BadAuth::Base64)?;
    let read: Option<BTreeMap<String, RegistryAuth>> = serde_json::from_slice(&json).map_err(|_| BadAuth::Json)?;
    let unpacked = |(server, auth): (String, RegistryAuth)| Ok((registry_of(&server), auth.with_pair_unpacked()?));
    read.unwrap_or_default().into_iter().map(unpacked).collect()
}

/// `https://host/v1/` and `host` are the same; Docker Hub has a name of its own.
fn registry_of(server: &str) -> String {
    if server == HUB {
        return "docker.io".to_owned();
    }
    let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or(server);
    host.split('/').next().unwrap_or(host).to_owned()
}

fn to_url_safe(c: char) -> char {
    match c {
        '+' => '-',
        '/' => '_',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> RegistryAuth {
        RegistryAuth {
            username: "alice".to_owned(),
            password: "s3cret?>".to_owned(),
            serveraddress: "127.0.0.1:5000".to_owned(),
            ..RegistryAuth::default()
        }
    }

    #[test]
    fn a_header_comes_back_as_it_went() {
        assert_eq!(RegistryAuth::decode(&alice().encode()), Ok(alice()));
    }

    #[test]
    fn padding_and_alphabet_do_not_matter() {
        let header = alice().encode();
        assert_eq!(RegistryAuth::decode(header.trim_end_matches('=')), Ok(alice()));
        assert_eq!(RegistryAuth::decode(&header.replace('-', "+").replace('_', "/")), Ok(alice()));
    }

    #[test]
    fn a_packed_pair_is_unpacked() {
        let packed = RegistryAuth { auth: alice().pair(), ..RegistryAuth::default() };
        let read = RegistryAuth::decode(&packed.encode()).unwrap();
        assert_eq!((read.username.as_str(), read.password.as_str(), read.auth.as_str()), ("alice", "s3cret?>", ""));
    }

    #[test]
    fn nothing_is_anonymous_and_rubbish_is_refused() {
        for nothing in ["", "e30=", "bnVsbA=="] {
            assert!(RegistryAuth::decode(nothing).unwrap().is_anonymous(), "{nothing}");
        }
        assert_eq!(RegistryAuth::decode("%%%"), Err(BadAuth::Base64));
        assert_eq!(RegistryAuth::decode("WzFd"), Err(BadAuth::Json));
    }

    #[test]
    fn no_secret_shows_in_debug() {
        assert!(!format!("{:?}", alice()).contains("s3cret"));
    }

    #[test]
    fn credentials_for_several_registries_travel_together() {
        let sent = BTreeMap::from([(HUB.to_owned(), alice()), ("https://127.0.0.1:5000/v2/".to_owned(), alice())]);
        let read = decode_config(&encode_config(&sent)).unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["127.0.0.1:5000", "docker.io"]);
        assert_eq!(read["docker.io"], alice());
        assert!(decode_config("").unwrap().is_empty());
        assert_eq!(decode_config("bnVsbA").map(|c| c.len()), Ok(0));
        assert_eq!(decode_config("e"), Err(BadAuth::Base64));
    }
}
