//! Registry authentication: challenges of every scheme, with and without a caller's credential, again and again.

use super::session::{Found, Session, Why, unexpected};
use crate::question::{AuthCall, Question, Reply};
use davit_model::{
    auth::{self, Challenge, Credential, CredentialKind, ManifestView, Scheme},
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
    let found = bare(session).await;
    session.found("registry-auth: without its grants it answers, and does not trap", found);
}

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

async fn judged(session: &mut Session<'_>, challenge: Challenge) -> Found {
    match session.ask(&ask(challenge)).await? {
        Ok(Reply::Answer(auth::Answer::Basic { user, .. })) if user.contains(':') => {
            Err(Why::Failed("it answers a user with a colon, which Basic cannot carry (RFC 7617)".to_owned()))
        }
        Ok(Reply::Answer(_)) | Err(_) => Ok(()),
        Ok(other) => Err(unexpected(&other)),
    }
}

async fn answered(session: &mut Session<'_>) -> Found {
    for _ in 0..session.how.requests {
        let challenge = challenge(session);
        judged(session, challenge).await?;
    }
    Ok(())
}

/// The core gives up after a few attempts by itself; whatever the plugin says to the tenth, it must not trap.
async fn again(session: &mut Session<'_>) -> Found {
    let base = challenge(session);
    for attempt in 1..=10 {
        judged(session, Challenge { attempt, ..base.clone() }).await?;
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
        judged(session, challenge).await?;
    }
    Ok(())
}

async fn resolved(session: &mut Session<'_>) -> Found {
    session.exports("davit:registry-auth/resolver")?;
    for _ in 0..session.how.requests {
        let Challenge { registry, repository, .. } = challenge(session);
        let call = AuthCall::Resolve { registry, repository: repository.unwrap_or_default() };
        session.survive(&Question::RegistryAuth(call)).await?;
    }
    Ok(())
}

async fn verified(session: &mut Session<'_>) -> Found {
    session.exports("davit:registry-auth/verifier")?;
    for _ in 0..session.how.requests {
        let Challenge { registry, repository, .. } = challenge(session);
        let digest = session.chance.digest();
        let manifest = ManifestView {
            reference: format!("{registry}/{}@{digest}", repository.unwrap_or_default()),
            digest,
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        };
        session.survive(&Question::RegistryAuth(AuthCall::Verify { manifest })).await?;
    }
    Ok(())
}

async fn bare(session: &mut Session<'_>) -> Found {
    for _ in 0..4 {
        let challenge = challenge(session);
        session.ask_bare(&ask(challenge)).await?;
    }
    Ok(())
}
