//! Which images are trusted: those that somebody whom the site trusts has signed, as cosign does it. A signature is a
//! manifest that refers to the image. Each of its layers is a text that names the image's digest, signed by a key: until
//! cosign 3 with the signature in an annotation (artifact type [`SIMPLE`], or cosign's own tag `sha256-….sig`, which the
//! core reads as one), since then with the signature in the text (a sigstore bundle, [`BUNDLE`]).
//!
//!     [plugins.signatures.config]
//!     default = "deny"                              # what no pattern below matches; or "permit"
//!     unpinned = "refuse"                           # only NAME@sha256:…; absent: tags too
//!     keys = [                                      # the first that matches
//!       { pattern = "registry.example/*", key = """
//!     -----BEGIN PUBLIC KEY-----
//!     …
//!     -----END PUBLIC KEY-----
//!     """, identity = "registry.example/team/*" },  # absent: whatever name was signed
//!     ]
//!
//! Keys are ECDSA over P-256 or Ed25519; several in one `key` are as good as each other, so that keys can be changed.
//! Challenges are answered as usual: with the caller's credential, a stored one, or anonymously.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use davit_plugin_sdk::{
    auth::{Answer, Challenge, Error, ManifestView, RegistryAuth, Result, Verifier},
    host::config,
    login, pattern,
};
use ed25519_dalek::pkcs8::DecodePublicKey as _;
use p256::ecdsa::signature::Verifier as _;
use serde::Deserialize;
use std::collections::BTreeMap;

struct Signatures;

/// The artifact type of signatures before cosign 3.
const SIMPLE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
/// The media type of their layers.
const SIMPLE_TEXT: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Where a layer's signature stands.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// What the signed text says it is.
const KIND: &str = "cosign container image signature";
/// The artifact type of sigstore bundles, and the media type of their layer.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What a list at a fallback tag calls such an artifact where its client wrote down the config's media type instead.
const BUNDLE_LISTED: &str = "application/vnd.oci.empty.v1+json";
/// The type of what a bundle's envelope holds.
const STATEMENT: &str = "application/vnd.in-toto+json";
/// What a statement says that a signature is. There are others (provenance, contents), which are no word of trust.
const CLAIM: &str = "https://sigstore.dev/cosign/sign/v1";
/// How many signatures of one image are looked at, whoever made them.
const LOOKED_AT: usize = 64;
const END: &str = "-----END PUBLIC KEY-----";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    keys: Vec<Rule>,
    #[serde(default)]
    default: Otherwise,
    #[serde(default)]
    unpinned: Unpinned,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    pattern: String,
    key: String,
    identity: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Otherwise {
    #[default]
    Deny,
    Permit,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unpinned {
    #[default]
    Permit,
    Refuse,
}

impl Config {
    fn read() -> Result<Self> {
        serde_json::from_str(&config::section_json()?)
            .map_err(|e| Error::Invalid(format!("the plugin's configuration: {e}")))
    }
}

/// A key that signs.
enum Key {
    P256(p256::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

impl Key {
    fn read(pem: &str) -> Option<Self> {
        // A text in the site's file may be indented, which PEM may not.
        let pem: String = pem.lines().map(|line| format!("{}\n", line.trim())).collect();
        let pem = pem.trim_start();
        let p256 = p256::ecdsa::VerifyingKey::from_public_key_pem(pem).map(Self::P256);
        p256.or_else(|_| ed25519_dalek::VerifyingKey::from_public_key_pem(pem).map(Self::Ed25519)).ok()
    }

    fn made(&self, signature: &[u8], text: &[u8]) -> bool {
        match self {
            Self::P256(key) => {
                p256::ecdsa::DerSignature::try_from(signature).is_ok_and(|s| key.verify(text, &s).is_ok())
            }
            Self::Ed25519(key) => {
                ed25519_dalek::Signature::from_slice(signature).is_ok_and(|s| key.verify_strict(text, &s).is_ok())
            }
        }
    }
}

impl Rule {
    fn keys(&self) -> Result<Vec<Key>> {
        let blocks = self.key.split_inclusive(END).filter(|block| !block.trim().is_empty());
        let keys: Option<Vec<Key>> = blocks.map(Key::read).collect();
        keys.filter(|keys| !keys.is_empty()).ok_or_else(|| {
            Error::Invalid(format!(
                "the key of the pattern {} in the plugin's configuration is no PEM of a public key for ECDSA over P-256 or \
                 for Ed25519",
                self.pattern
            ))
        })
    }
}

/// A manifest of signatures, as far as it matters.
#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// What is signed (containers/image, "Simple Signing").
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Identity {
    docker_reference: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    docker_manifest_digest: String,
}

/// A sigstore bundle, as far as it matters where the key is known.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    dsse_envelope: Envelope,
}

/// A signed text (DSSE).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    sig: String,
}

/// What an envelope says (in-toto Statement).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    predicate_type: String,
    subject: Vec<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    name: Option<String>,
    digest: BTreeMap<String, String>,
}

/// Something that one of the keys says: this digest, by this name.
struct Claim {
    digest: String,
    name: Option<String>,
}

/// Why a signature will not do, in words that follow "one …".
type Reason = String;

fn unreadable(error: serde_json::Error) -> Reason {
    format!("signs what cannot be read: {error}")
}

/// What a layer with its signature in an annotation says.
fn simple(layer: &Layer, text: &[u8], keys: &[Key]) -> std::result::Result<Vec<Claim>, Reason> {
    let signature = layer.annotations.get(SIGNATURE).and_then(|s| STANDARD.decode(s).ok());
    let Some(signature) = signature else { return Err("has no signature in its annotation".to_owned()) };
    if !keys.iter().any(|key| key.made(&signature, text)) {
        return Err("is by another key".to_owned());
    }
    // Only now is the text anybody's word.
    let Payload { critical } = serde_json::from_slice(text).map_err(unreadable)?;
    if critical.kind != KIND {
        return Err(format!("is a {:?}", critical.kind));
    }
    let (digest, name) = (critical.image.docker_manifest_digest, critical.identity.docker_reference);
    Ok(vec![Claim { digest, name: Some(name) }])
}

/// What a bundle says.
fn bundle(text: &[u8], keys: &[Key]) -> std::result::Result<Vec<Claim>, Reason> {
    let no_bundle = || "is no bundle with an envelope".to_owned();
    let Bundle { dsse_envelope: envelope } = serde_json::from_slice(text).map_err(|_| no_bundle())?;
    let body = STANDARD.decode(&envelope.payload).map_err(|_| no_bundle())?;
    let kind = &envelope.payload_type;
    // The envelope's "pre-authentication encoding".
    let signed = [format!("DSSEv1 {} {kind} {} ", kind.len(), body.len()).as_bytes(), &body].concat();
    let signatures = envelope.signatures.iter().take(LOOKED_AT).filter_map(|s| STANDARD.decode(&s.sig).ok());
    if !signatures.into_iter().any(|signature| keys.iter().any(|key| key.made(&signature, &signed))) {
        return Err("is by another key".to_owned());
    }
    if kind != STATEMENT {
        return Err(format!("is a {kind:?}"));
    }
    let statement: Statement = serde_json::from_slice(&body).map_err(unreadable)?;
    if statement.predicate_type != CLAIM {
        return Err(format!("is a {:?}", statement.predicate_type));
    }
    let claims = statement.subject.into_iter().flat_map(|Subject { name, digest }| {
        digest
            .into_iter()
            .map(move |(algorithm, hex)| Claim { digest: format!("{algorithm}:{hex}"), name: name.clone() })
    });
    Ok(claims.collect())
}

/// Whether one signature is by one of the keys and for this image.
fn judge(layer: &Layer, text: &[u8], rule: &Rule, keys: &[Key], digest: &str) -> std::result::Result<(), Reason> {
    let claims = if layer.media_type == BUNDLE { bundle(text, keys)? } else { simple(layer, text, keys)? };
    let Some(claim) = claims.iter().find(|claim| claim.digest == digest) else {
        let others: Vec<&str> = claims.iter().take(3).map(|claim| claim.digest.as_str()).collect();
        return Err(format!("is for {}", others.join(", ")));
    };
    match (&rule.identity, &claim.name) {
        (None, _) => Ok(()),
        (Some(wanted), Some(name)) if pattern::covers(wanted, name) => Ok(()),
        (Some(wanted), Some(name)) => Err(format!("is for the name {name}, which is none of {wanted}")),
        (Some(wanted), None) => Err(format!("says no name, which should be one of {wanted}")),
    }
}

/// What one manifest of signatures comes to: trust, or a reason for each of its signatures.
fn look(manifest: &ManifestView, referrer: &str, rule: &Rule, keys: &[Key], why: &mut Vec<String>) -> Result<bool> {
    let Some(bytes) = there(manifest.blob(referrer))? else {
        why.push("is not there".to_owned());
        return Ok(false);
    };
    let Ok(Manifest { layers }) = serde_json::from_slice(&bytes) else {
        why.push("is no manifest of signatures".to_owned());
        return Ok(false);
    };
    let mut signed = layers.iter().filter(|layer| matches!(layer.media_type.as_str(), SIMPLE_TEXT | BUNDLE)).peekable();
    if signed.peek().is_none() {
        why.push("holds none".to_owned());
    }
    for layer in signed.take(LOOKED_AT.saturating_sub(why.len())) {
        match there(manifest.blob(&layer.digest))? {
            None => why.push("is not there".to_owned()),
            Some(text) => match judge(layer, &text, rule, keys, &manifest.digest()) {
                Ok(()) => return Ok(true),
                Err(reason) => why.push(reason),
            },
        }
    }
    Ok(false)
}

/// What a registry does not have, or names by something that is no digest, is no signature; every other failure is one.
fn there(read: Result<Vec<u8>>) -> Result<Option<Vec<u8>>> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Error::NotFound(_) | Error::Invalid(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `registry/repository` of a reference.
fn name(reference: &str) -> &str {
    let tagged = reference.split('@').next().unwrap_or(reference);
    match tagged.rsplit_once(':') {
        // What stands behind the colon of a port has a slash.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => tagged,
    }
}

impl Verifier for Signatures {
    fn verify(manifest: &ManifestView) -> Result<()> {
        let config = Config::read()?;
        let (reference, digest) = (manifest.reference(), manifest.digest());
        if config.unpinned == Unpinned::Refuse && !reference.contains('@') {
            return Err(Error::Denied(format!("{reference} is not pinned by a digest; it is {digest} now")));
        }
        let name = name(&reference);
        let Some(rule) = config.keys.iter().find(|rule| pattern::covers(&rule.pattern, name)) else {
            return match config.default {
                Otherwise::Permit => Ok(()),
                Otherwise::Deny => Err(Error::Denied(format!(
                    "{reference} cannot be trusted: no pattern in the plugin's configuration has a key for {name}"
                ))),
            };
        };
        let keys = rule.keys()?;
        let mut why = Vec::new();
        for kind in [SIMPLE, BUNDLE, BUNDLE_LISTED] {
            for referrer in manifest.referrers(kind)? {
                if why.len() < LOOKED_AT && look(manifest, &referrer, rule, &keys, &mut why)? {
                    return Ok(());
                }
            }
        }
        let image = if reference.contains('@') { reference } else { format!("{reference} ({digest})") };
        let found = match why.as_slice() {
            [] => "it is not signed".to_owned(),
            [reason] => format!("its one signature {reason}"),
            [reason, ..] => format!("of its {} signatures none will do; the first {reason}", why.len()),
        };
        Err(Error::Denied(format!("{image} is not trusted by the key of the pattern {}: {found}", rule.pattern)))
    }
}

impl RegistryAuth for Signatures {
    fn authenticate(challenge: &Challenge, answer: &Answer) -> Result<()> {
        login::answer(challenge, answer)
    }
}

davit_plugin_sdk::export!(registry_auth: Signatures, verifier);
