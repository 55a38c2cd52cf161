//! Registry authentication: how a challenge is answered. See `wit/registry-auth`.

pub use crate::host::{
    http::{Request, Response},
    secrets::{Credential, Secret},
};
pub use crate::imported::auth::{Answer, Challenge, Endpoints, ManifestView};
pub use crate::{Error, Result};
#[cfg(target_arch = "wasm32")]
use std::marker::PhantomData;

/// Answers challenges.
pub trait RegistryAuth: 'static {
    /// How to answer.
    fn authenticate(challenge: &Challenge, answer: &Answer) -> Result<()>;
}

/// Optional: mirrors.
pub trait Resolver: 'static {
    /// Where a repository is served.
    fn resolve(registry: &str, repository: &str, endpoints: &Endpoints) -> Result<()>;
}

/// Optional: trust.
pub trait Verifier: 'static {
    /// Ok is trust.
    fn verify(manifest: &ManifestView) -> Result<()>;
}

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
#[derive(Debug)]
pub struct Adapter<T>(PhantomData<T>);

#[cfg(target_arch = "wasm32")]
mod adapt {
    use super::{Adapter, Answer, Challenge, Endpoints, ManifestView, RegistryAuth, Resolver, Result, Verifier};
    use crate::bindings::exports;

    impl<T: RegistryAuth> exports::authenticator::exports::davit::registry_auth::authenticator::Guest for Adapter<T> {
        fn authenticate(challenge: Challenge, answer: Answer) -> Result<()> {
            T::authenticate(&challenge, &answer)
        }
    }

    impl<T: Resolver> exports::resolver::exports::davit::registry_auth::resolver::Guest for Adapter<T> {
        fn resolve(registry: String, repository: String, endpoints: Endpoints) -> Result<()> {
            T::resolve(&registry, &repository, &endpoints)
        }
    }

    impl<T: Verifier> exports::verifier::exports::davit::registry_auth::verifier::Guest for Adapter<T> {
        fn verify(manifest: ManifestView) -> Result<()> {
            T::verify(&manifest)
        }
    }
}
