//! Registry authentication: challenges and manifests to give, answers and mirrors to record.

use super::{
    origin,
    secrets::{Bound, Credential, Secret},
    site::{around, right},
    types::{Error, Unavailability},
};
use std::cell::RefCell;

const MAX_ENDPOINTS: usize = 16;
const MAX_SECONDS: u32 = 86_400;

/// A login that a test wants answered. Handles that stand for its credentials go to its registry and its realm alone: to
/// those of the login that was made a [`Challenge`] last.
#[derive(Clone, Debug)]
pub struct Login {
    /// `host[:port]` of the registry.
    pub registry: String,
    /// `none`, `basic` or `bearer`.
    pub scheme: String,
    /// Parameters of `WWW-Authenticate`.
    pub params: Vec<(String, String)>,
    /// The repository at hand.
    pub repository: Option<String>,
    /// What is to be done.
    pub actions: Vec<String>,
    /// The credential that the caller sent.
    pub offered: Option<Credential>,
    /// Who the caller is.
    pub caller: String,
    /// 1 for the first try.
    pub attempt: u32,
}

impl Login {
    /// A pull of a repository, by root on a unix socket, at the first try.
    pub fn pull(registry: &str, repository: &str, scheme: &str) -> Self {
        Self {
            registry: registry.to_owned(),
            scheme: scheme.to_owned(),
            params: Vec::new(),
            repository: Some(repository.to_owned()),
            actions: vec!["pull".to_owned()],
            offered: None,
            caller: "uid:0".to_owned(),
            attempt: 1,
        }
    }

    /// With a parameter of the challenge more.
    #[must_use]
    pub fn param(mut self, key: &str, value: &str) -> Self {
        self.params.push((key.to_owned(), value.to_owned()));
        self
    }

    /// With this credential of the caller's.
    #[must_use]
    pub fn offering(self, credential: Credential) -> Self {
        Self { offered: Some(credential), ..self }
    }
}

/// A registry's challenge.
#[derive(Clone, Debug)]
pub struct Challenge(Login);

impl From<Login> for Challenge {
    fn from(login: Login) -> Self {
        around(|site| site.challenge = Some(login.clone()));
        Self(login)
    }
}

impl Challenge {
    /// `host[:port]` of the registry.
    pub fn registry(&self) -> String {
        self.0.registry.clone()
    }

    /// `none`, `basic` or `bearer`.
    pub fn scheme(&self) -> String {
        self.0.scheme.clone()
    }

    /// A parameter of `WWW-Authenticate`.
    pub fn param(&self, key: &str) -> Option<String> {
        self.0.params.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    }

    /// The repository at hand.
    pub fn repository(&self) -> Option<String> {
        self.0.repository.clone()
    }

    /// What is to be done.
    pub fn actions(&self) -> Vec<String> {
        self.0.actions.clone()
    }

    /// The credential that the caller sent.
    pub fn offered(&self) -> Option<Credential> {
        self.0.offered.clone()
    }

    /// Who the caller is.
    pub fn caller(&self) -> String {
        self.0.caller.clone()
    }

    /// 1 for the first try.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }
}

/// An answer, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the host would send")]
pub enum Answered {
    /// Without credentials.
    Anonymous,
    /// `Authorization: Basic`.
    Basic { user: String, password: String },
    /// `Authorization: Bearer`, cached for so long.
    Bearer { token: String, seconds: u32 },
}

/// The answer to a challenge.
#[derive(Debug, Default)]
pub struct Answer(RefCell<Option<Answered>>);

impl Answer {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was answered last; none is refused by the core.
    pub fn recorded(&self) -> Option<Answered> {
        self.0.borrow().clone()
    }

    /// Without credentials.
    pub fn anonymous(&self) {
        self.0.replace(Some(Answered::Anonymous));
    }

    /// `Authorization: Basic`.
    ///
    /// # Errors
    /// `invalid` for a token, or a name with a colon.
    pub fn basic(&self, credential: &Credential) -> Result<(), Error> {
        let (user, password) = credential.basic()?;
        self.0.replace(Some(Answered::Basic { user, password }));
        Ok(())
    }

    fn token(&self, token: &str, seconds: u32) -> Result<(), Error> {
        self.0.replace(Some(Answered::Bearer { token: token.to_owned(), seconds: seconds.min(MAX_SECONDS) }));
        Ok(())
    }

    /// `Authorization: Bearer`.
    ///
    /// # Errors
    /// `denied` for a secret of the site where the registry is not granted by name.
    pub fn bearer(&self, token: &Secret, seconds: u32) -> Result<(), Error> {
        if *token.bound() == Bound::Granted {
            right("http", "a secret of the site for the registry")?;
        }
        self.token(token.value(), seconds)
    }

    /// The same from a credential of the kind `registry-token`.
    ///
    /// # Errors
    /// `invalid` for another kind.
    pub fn bearer_credential(&self, credential: &Credential, seconds: u32) -> Result<(), Error> {
        if credential.kind() != "registry-token" {
            return Err(Error::Invalid("the credential is not a registry token".to_owned()));
        }
        self.token(credential.value(), seconds)
    }
}

/// Where a repository's content is served.
#[derive(Debug, Default)]
pub struct Endpoints(RefCell<Vec<(String, String)>>);

impl Endpoints {
    /// None yet: the registry itself.
    pub fn new() -> Self {
        Self::default()
    }

    /// Origins and prefixes, best first.
    pub fn recorded(&self) -> Vec<(String, String)> {
        self.0.borrow().clone()
    }

    /// Adds one.
    ///
    /// # Errors
    /// `denied`, `invalid`, `internal` past 16 of them.
    pub fn add(&self, origin: &str, prefix: &str) -> Result<(), Error> {
        let origin = origin::of(origin)?;
        right("mirrors", &format!("mirror {origin}"))?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-' | b'/');
        if prefix.len() > 255 || !prefix.bytes().all(plain) || prefix.contains("..") || prefix.starts_with('/') {
            return Err(Error::Invalid("the prefix is not the beginning of a repository's name".to_owned()));
        }
        let mut list = self.0.borrow_mut();
        if list.len() >= MAX_ENDPOINTS {
            return Err(Error::Internal(format!("a repository has at most {MAX_ENDPOINTS} mirrors")));
        }
        list.push((origin, prefix.to_owned()));
        Ok(())
    }
}

/// A manifest that a test wants judged.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// The reference that was asked for.
    pub reference: String,
    /// The manifest's digest.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Artifact types, and the digests of the manifests that refer to it.
    pub referrers: Vec<(String, Vec<String>)>,
    /// Blobs and manifests by their digests.
    pub blobs: Vec<(String, Vec<u8>)>,
    /// Whether the registry does not answer.
    pub offline: bool,
}

/// A manifest whose trust is in question.
#[derive(Clone, Debug)]
pub struct ManifestView(Manifest);

impl From<Manifest> for ManifestView {
    fn from(manifest: Manifest) -> Self {
        Self(manifest)
    }
}

impl ManifestView {
    /// The reference that was asked for.
    pub fn reference(&self) -> String {
        self.0.reference.clone()
    }

    /// The manifest's digest.
    pub fn digest(&self) -> String {
        self.0.digest.clone()
    }

    /// Its media type.
    pub fn media_type(&self) -> String {
        self.0.media_type.clone()
    }

    fn online(&self) -> Result<(), Error> {
        if self.0.offline {
            let message = "the registry does not answer".to_owned();
            return Err(Error::Unavailable(Unavailability { retry_ms: 0, message }));
        }
        Ok(())
    }

    /// Digests of the manifests of this artifact type that refer to it.
    ///
    /// # Errors
    /// `unavailable`.
    pub fn referrers(&self, artifact_type: &str) -> Result<Vec<String>, Error> {
        self.online()?;
        let of_type = self.0.referrers.iter().filter(|(kind, _)| kind == artifact_type);
        Ok(of_type.flat_map(|(_, digests)| digests.clone()).collect())
    }

    /// A blob or manifest of the same repository.
    ///
    /// # Errors
    /// `invalid`, `not-found`, `unavailable`.
    pub fn blob(&self, digest: &str) -> Result<Vec<u8>, Error> {
        let hex = digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64);
        if hex.is_none_or(|hex| !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))) {
            return Err(Error::Invalid(format!("{digest:?} is not a digest")));
        }
        self.online()?;
        let found = self.0.blobs.iter().find(|(name, _)| name == digest);
        found.map(|(_, bytes)| bytes.clone()).ok_or_else(|| Error::NotFound(format!("there is no blob {digest}")))
    }
}
