//! Registry authentication: challenges of every scheme, with and without a caller's credential, again and again.

use super::{
    imagined::NoManifests,
    referred::Referred,
    session::{Found, Said, Session, Why, unexpected},
    tally::Tally,
};
use crate::question::{AuthCall, Question, Reply};
use davit_model::{
    auth::{self, Challenge, Credential, CredentialKind, ManifestReader, ManifestView, Scheme},
    error::PolicyError,
    id::Caller,
    secret::Secret,
};
use std::collections::BTreeMap;

pub(super) async fn suite(session: &mut Session<'_>) {
    let found = answered(session).await;
    session.found("registry-auth: every challenge gets an answer or a refusal", found);
    let found = again(session).await;
    session.found("registry-auth: it answers however often the registry has refused", found);
    let found = impossible(session).await;
    session.found("registry-auth: a challenge that makes no sense is answered, not trapped on", found);
    let found = resolved(session).await;
    session.found("registry-auth: mirrors are named where resolver is exported", found);
    let found = verified(session).await;
    session.found("registry-auth: a manifest is judged where verifier is exported", found);
    let found = largest(session).await;
    session.found("registry-auth: the largest requests stay within its limits", found);
    session.without_help("registry-auth", |session| Ok(samples(session))).await;
}

/// As much as is read of one header field, hence the longest parameter of a challenge.
const LARGE: usize = 16 << 10;
/// After so many refusals the core gives up.
const ATTEMPTS: u32 = 4;

fn ask(challenge: Challenge) -> Question {
    Question::RegistryAuth(AuthCall::Authenticate { challenge })
}

fn challenge(session: &mut Session<'_>) -> Challenge {
    let chance = &mut session.chance;
    let registry = format!("registry-{}.example", chance.hex(4));
    let scheme = match chance.below(3) {
        0 => Scheme::None,
        1 => Scheme::Basic,
        _ => Scheme::Bearer,
    };
    let repository = format!("team/{}", chance.hex(8));
    let params = match scheme {
        Scheme::None => BTreeMap::new(),
        Scheme::Basic => BTreeMap::from([("realm".to_owned(), "a registry".to_owned())]),
        Scheme::Bearer => BTreeMap::from([
            ("realm".to_owned(), format!("https://auth.{registry}/token")),
            ("service".to_owned(), registry.clone()),
            ("scope".to_owned(), format!("repository:{repository}:pull")),
        ]),
    };
    let kind = match chance.below(3) {
        0 => CredentialKind::Password,
        1 => CredentialKind::IdentityToken,
        _ => CredentialKind::RegistryToken,
    };
    let offered = chance.one_in(2).then(|| Credential {
        server: registry.clone(),
        user: (kind == CredentialKind::Password).then(|| "someone".to_owned()),
        kind,
        secret: Secret::new("not a secret"),
    });
    Challenge {
        registry,
        scheme,
        params,
        repository: Some(repository),
        actions: vec!["pull".to_owned()],
        offered,
        caller: Caller("uid:1000".to_owned()),
        attempt: 1,
    }
}

/// An answer that can be given.
fn judged(said: Said) -> Found {
    match said {
        Ok(Reply::Answer(auth::Answer::Basic { user, .. })) if user.contains(':') => {
            Err(Why::Failed("it answers a user with a colon, which Basic cannot carry (RFC 7617)".to_owned()))
        }
        Ok(Reply::Answer(_)) | Err(_) => Ok(()),
        Ok(other) => Err(unexpected(&other)),
    }
}

async fn answered(session: &mut Session<'_>) -> Found {
    let mut tally = Tally::default();
    // By scheme: how many challenges, and which of them it calls senseless.
    let mut by_scheme = [Scheme::Basic, Scheme::Bearer].map(|scheme| (scheme, 0, Vec::new()));
    for _ in 0..session.how.requests {
        let challenge = challenge(session);
        let scheme = challenge.scheme;
        let said = session.tried(&mut tally, &ask(challenge)).await?;
        if let Some((_, challenges, senseless)) = by_scheme.iter_mut().find(|(of, ..)| *of == scheme) {
            *challenges += 1;
            if let Err(error) = &said
                && matches!(error.error, PolicyError::Invalid(_))
            {
                senseless.push(format!("{error}{}", session.advice()));
            }
        }
        judged(said)?;
    }
    session.not_all_refused(tally).await?;
    match by_scheme.iter().find(|(_, challenges, senseless)| !senseless.is_empty() && senseless.len() == *challenges) {
        Some((scheme, challenges, senseless)) => Err(Why::Failed(format!(
            "all of {challenges} challenges of the scheme {scheme:?} make sense, and it calls each invalid: {}",
            senseless.last().map_or("", String::as_str)
        ))),
        None => Ok(()),
    }
}

/// The core gives up after a few attempts by itself; whatever the plugin says to the tenth, it must not trap.
async fn again(session: &mut Session<'_>) -> Found {
    let base = challenge(session);
    for attempt in 1..=10 {
        let question = ask(Challenge { attempt, ..base.clone() });
        judged(if attempt <= ATTEMPTS { session.permit(&question).await? } else { session.ask(&question).await? })?;
    }
    Ok(())
}

async fn impossible(session: &mut Session<'_>) -> Found {
    let base = Challenge { scheme: Scheme::Bearer, ..challenge(session) };
    let with = |params: &[(&str, &str)]| Challenge {
        params: params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..base.clone()
    };
    let long = "x".repeat(60_000);
    for challenge in [
        with(&[]),
        with(&[("realm", "")]),
        with(&[("realm", "not a url")]),
        with(&[("realm", "http://169.254.169.254/latest")]),
        with(&[("realm", &long)]),
        Challenge { registry: String::new(), repository: None, actions: Vec::new(), ..base.clone() },
        Challenge { attempt: u32::MAX, ..base.clone() },
    ] {
        judged(session.ask(&ask(challenge)).await?)?;
    }
    Ok(())
}

async fn resolved(session: &mut Session<'_>) -> Found {
    session.exports("davit:registry-auth/resolver")?;
    let mut tally = Tally::default();
    for _ in 0..session.how.requests {
        let Challenge { registry, repository, .. } = challenge(session);
        let call = AuthCall::Resolve { registry, repository: repository.unwrap_or_default() };
        session.tried(&mut tally, &Question::RegistryAuth(call)).await?.ok();
    }
    session.not_all_refused(tally).await
}

fn manifest(session: &mut Session<'_>) -> ManifestView {
    let Challenge { registry, repository, .. } = challenge(session);
    let digest = session.chance.digest();
    ManifestView {
        reference: format!("{registry}/{}@{digest}", repository.unwrap_or_default()),
        digest,
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
    }
}

/// Manifests that nothing refers to, and such that much refers to. None is signed by anybody: who trusts none of them may
/// be right, which no suite can know.
async fn verified(session: &mut Session<'_>) -> Found {
    session.exports("davit:registry-auth/verifier")?;
    let mut tally = Tally::default();
    let mut denials = 0;
    for number in 0..session.how.requests {
        let manifest = manifest(session);
        let referred = Referred::to(&manifest.digest);
        let beside: &dyn ManifestReader = if number % 4 == 0 { &referred } else { &NoManifests };
        let question = Question::RegistryAuth(AuthCall::Verify { manifest });
        let said = session.tried_beside(&mut tally, &question, beside).await?;
        denials += u32::from(said.is_err_and(|error| matches!(error.error, PolicyError::Denied(_))));
    }
    if denials == tally.asked() {
        return Err(Why::Skipped(format!(
            "verify trusts none of {denials} manifests, and nobody signed one of them; whether it trusts what is signed \
             has to be tried with a registry"
        )));
    }
    session.not_all_refused(tally).await
}

async fn largest(session: &mut Session<'_>) -> Found {
    let base = challenge(session);
    for key in ["realm", "service", "scope"] {
        let mut params = base.params.clone();
        let long = format!("{}{}", params.get(key).map_or("", String::as_str), "/x".repeat(LARGE / 2));
        params.insert(key.to_owned(), long);
        let challenge = Challenge { scheme: Scheme::Bearer, params, ..base.clone() };
        session.bear(&ask(challenge)).await?.ok();
    }
    let repository = "a/".repeat(127) + "a";
    session.bear(&ask(Challenge { repository: Some(repository.clone()), ..base.clone() })).await?.ok();
    if session.exports("davit:registry-auth/resolver").is_ok() {
        let call = AuthCall::Resolve { registry: base.registry, repository };
        session.bear(&Question::RegistryAuth(call)).await?.ok();
    }
    Ok(())
}

/// A few challenges, and what the optional exports are asked.
fn samples(session: &mut Session<'_>) -> Vec<Question> {
    let mut calls = Vec::new();
    for _ in 0..4 {
        let challenge = challenge(session);
        let resolve = AuthCall::Resolve { registry: challenge.registry.clone(), repository: "team/app".to_owned() };
        calls.extend([AuthCall::Authenticate { challenge }, resolve, AuthCall::Verify { manifest: manifest(session) }]);
    }
    calls.into_iter().map(Question::RegistryAuth).collect()
}
