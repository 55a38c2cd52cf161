//! Registry authentication as docker does it: with the credential that the caller sent, else with one from a granted
//! file in the format of docker's `config.json`, else anonymously. Basic is answered as it is. Bearer is answered with a
//! token from the realm: for a password and for nothing by GET (distribution token specification), for an identity
//! token by POST with `grant_type=refresh_token` (its OAuth2 companion). Tokens are cached by the core until they expire;
//! after that, or when the registry refuses one, the core asks again and a new one is fetched.
//!
//! All of that is the SDK's `login`, since plugins for mirrors and trust answer challenges so as well.

use davit_plugin_sdk::{
    auth::{Answer, Challenge, RegistryAuth, Result},
    host::check_settings,
    login,
};

struct DockerConfig;

impl RegistryAuth for DockerConfig {
    fn authenticate(challenge: &Challenge, answer: &Answer) -> Result<()> {
        check_settings(&[])?;
        login::answer(challenge, answer)
    }
}

davit_plugin_sdk::export!(registry_auth: DockerConfig);
