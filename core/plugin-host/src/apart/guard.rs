//! The daemon's side of a grant. Host functions have checked it already, over there: a process that was taken over says
//! what it likes, so that everything that it asks for, and everything that it answers, is held against the grant again.

use super::{veil::Veil, wire::Asks};
use crate::{
    origin::Origin,
    question::{AuthCall, Question, Reply},
    rights::Rights,
    secret::Bound,
};
use davit_model::{
    auth::Challenge,
    error::PolicyError,
    network::{Attachment, LinkKind},
    services::{HostServices, HttpRequest, HttpResponse},
    state::Planned,
};
use url::Url;

/// What one plugin may.
#[derive(Debug)]
pub(super) struct Guard {
    site_name: String,
    rights: Rights,
}

impl Guard {
    pub(super) fn new(site_name: &str, rights: Rights) -> Self {
        Self { site_name: site_name.to_owned(), rights }
    }

    /// Whether a call may ask this; what it says of itself is set to what it is.
    pub(super) fn asks(&self, asks: &mut Asks, question: Option<&Question>) -> Result<(), PolicyError> {
        let challenge = question.and_then(challenge);
        match asks {
            Asks::Config => Ok(()),
            Asks::StateGet { .. } | Asks::StateKeys { .. } => self.rights.state(),
            Asks::StateCommit { writes } => {
                writes.plugin.clone_from(&self.site_name);
                self.rights.state()
            }
            Asks::Secret { name } => self.rights.secret(name),
            // About a secret that the call has.
            Asks::Fingerprint { .. } | Asks::Hmac { .. } => Ok(()),
            Asks::Stored { .. } => match challenge {
                Some(challenge) => self.rights.credentials(&challenge.caller),
                None => Err(PolicyError::Denied("stored credentials without a challenge".to_owned())),
            },
            Asks::Http { request } => {
                request.allow_link_local = self.rights.link_local();
                self.rights.http(&request.method, &Origin::of(&url(request)?)?, challenge)
            }
            Asks::Subnet { .. } | Asks::Address { .. } | Asks::Port { .. } => match question {
                Some(Question::Network(_)) => Ok(()),
                _ => Err(PolicyError::Denied("a lease for a call that plans no network".to_owned())),
            },
            Asks::Referrers { .. } | Asks::Blob { .. } => match question {
                Some(Question::RegistryAuth(AuthCall::Verify { .. })) => Ok(()),
                _ => Err(PolicyError::Denied("a manifest for a call that verifies none".to_owned())),
            },
        }
    }

    /// Sends a request, with secrets where it says so and they may go; what its answer says of secrets stays here.
    pub(super) async fn sent(
        &self,
        mut request: HttpRequest,
        question: Option<&Question>,
        veil: &Veil,
        services: &dyn HostServices,
    ) -> Result<HttpResponse, PolicyError> {
        let challenge = question.and_then(challenge);
        let origin = Origin::of(&url(&request)?)?;
        let method = request.method.clone();
        let may = |bound: &Bound| self.rights.may_send(bound, &method, &origin, challenge);
        let guarded = veil.request(&mut request, &may)?;
        let mut answer = services.http(&self.site_name, request).await?;
        if guarded {
            veil.response(&mut answer, &origin)?;
        }
        Ok(answer)
    }

    /// Puts secrets into an answer to a registry's challenge.
    pub(super) fn reveal(
        &self,
        reply: &mut Reply,
        question: Option<&Question>,
        veil: &Veil,
    ) -> Result<(), PolicyError> {
        let challenge = question.and_then(challenge);
        veil.reply(reply, &|bound| self.rights.may_answer(bound, challenge))
    }

    /// Whether a call may answer this; likewise.
    pub(super) fn answers(&self, planned: &mut Planned<Reply>) -> Result<(), PolicyError> {
        planned.state.plugin.clone_from(&self.site_name);
        if !planned.state.writes.is_empty() {
            self.rights.state()?;
        }
        match &planned.plan {
            Reply::Adjustments(all) => all.iter().try_for_each(|a| self.rights.adjustment(a)),
            Reply::Mirrors(all) => all.iter().try_for_each(|m| self.rights.mirror(&m.origin).map(drop)),
            Reply::Network(plan) => plan.links.iter().try_for_each(|(_, link)| match link {
                LinkKind::Vlan { parent, .. } => self.rights.interface(parent),
                LinkKind::Bridge | LinkKind::Vxlan { .. } => Ok(()),
            }),
            Reply::Endpoint(plan) => match &plan.attachment {
                Attachment::Macvlan { parent, .. } => self.rights.interface(parent),
                Attachment::ShareHost => self.rights.host_network(),
                Attachment::None | Attachment::Veth { .. } => Ok(()),
            },
            Reply::Done
            | Reply::Layer(_)
            | Reply::Commit(_)
            | Reply::Root(_)
            | Reply::Steps(_)
            | Reply::Usage(_)
            | Reply::Keep(_)
            | Reply::Answer(_) => Ok(()),
        }
    }
}

fn url(request: &HttpRequest) -> Result<Url, PolicyError> {
    Url::parse(&request.url).map_err(|e| PolicyError::Invalid(format!("its URL: {e}")))
}

fn challenge(question: &Question) -> Option<&Challenge> {
    match question {
        Question::RegistryAuth(AuthCall::Authenticate { challenge }) => Some(challenge),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Ask;
    use davit_model::{
        auth::Credential,
        lifecycle::Adjustment,
        network::EndpointPlan,
        secret::Secret,
        services::LogLevel,
        state::{StateWrite, StateWrites},
    };
    use std::collections::BTreeSet;

    fn guard(words: &[&str]) -> Guard {
        let ask = Ask::from_words(words.iter().copied()).unwrap();
        Guard::new("p", Rights::effective("p", &ask, &ask, &BTreeSet::new()))
    }

    fn get(url: &str) -> Asks {
        Asks::Http { request: Box::new(request("GET", url)) }
    }

    fn request(method: &str, url: &str) -> HttpRequest {
        HttpRequest {
            method: method.into(),
            url: url.into(),
            headers: vec![],
            authorization: None,
            body: None,
            content_type: None,
            max_body: 1,
            timeout_ms: 1,
            allow_link_local: true,
        }
    }

    /// Services that answer every request with nothing.
    #[derive(Debug)]
    struct Silence;

    #[async_trait::async_trait]
    impl HostServices for Silence {
        fn log(&self, _: &str, _: LogLevel, _: &str) {}
        async fn config(&self, _: &str) -> Result<serde_json::Value, PolicyError> {
            Ok(serde_json::Value::Null)
        }
        async fn state_get(&self, _: &str, _: &str) -> Result<Option<Vec<u8>>, PolicyError> {
            Ok(None)
        }
        async fn state_commit(&self, _: &StateWrites) -> Result<(), PolicyError> {
            Ok(())
        }
        async fn state_keys(&self, _: &str, _: &str) -> Result<Vec<String>, PolicyError> {
            Ok(Vec::new())
        }
        async fn secret(&self, _: &str, name: &str) -> Result<Secret, PolicyError> {
            Err(PolicyError::NotFound(name.to_owned()))
        }
        async fn stored_credential(&self, _: &str, _: &str) -> Result<Option<Credential>, PolicyError> {
            Ok(None)
        }
        async fn http(&self, _: &str, _: HttpRequest) -> Result<HttpResponse, PolicyError> {
            Ok(HttpResponse { status: 200, headers: vec![], body: vec![] })
        }
        fn now_ms(&self) -> u64 {
            0
        }
    }

    #[test]
    fn what_was_not_granted_is_not_done_whoever_asks() {
        let nothing = guard(&[]);
        let writes = StateWrites { plugin: "other".into(), writes: vec![] };
        for mut asks in [
            Asks::StateGet { key: "k".into() },
            Asks::StateKeys { prefix: String::new() },
            Asks::StateCommit { writes: writes.clone() },
            Asks::Secret { name: "key".into() },
            Asks::Stored { server: "r.example".into() },
            get("https://a.example/"),
            Asks::Subnet { wanted: None, v6: false },
            Asks::Referrers { artifact_type: "t".into() },
        ] {
            assert!(matches!(nothing.asks(&mut asks, None), Err(PolicyError::Denied(_))), "{asks:?}");
        }
        let some = guard(&["state", "http https://a.example"]);
        let mut asks = Asks::StateCommit { writes };
        some.asks(&mut asks, None).unwrap();
        assert!(matches!(asks, Asks::StateCommit { writes } if writes.plugin == "p"), "never another's state");
        let mut request = get("https://a.example/x");
        some.asks(&mut request, None).unwrap();
        assert!(matches!(request, Asks::Http { request } if !request.allow_link_local));
        assert!(some.asks(&mut get("https://b.example/"), None).is_err());
    }

    #[test]
    fn a_request_of_another_method_than_was_granted_is_refused_whoever_sends_it() {
        let reads = guard(&["http GET https://a.example"]);
        let asks = |method: &str| Asks::Http { request: Box::new(request(method, "https://a.example/x")) };
        reads.asks(&mut asks("GET"), None).unwrap();
        for method in ["POST", "get", "GET\n", ""] {
            let text = reads.asks(&mut asks(method), None).unwrap_err().to_string();
            assert!(text.contains("https://a.example") && text.contains("[plugins.p.grant]"), "{text}");
            assert!(!text.contains('\n'), "{text}");
        }
    }

    #[tokio::test]
    async fn a_secret_with_an_origin_is_sent_to_no_other_whoever_sends_it() {
        let guard = guard(&["http https://a.example", "http https://b.example", "secret key https://a.example"]);
        let veil = Veil::default();
        let mark = veil.cover(Secret::new("s3cret"), Bound::Site("key".into())).unwrap();
        let bearer = |url: &str| HttpRequest {
            authorization: Some(Secret::new(format!("Bearer {}", mark.reveal()))),
            ..request("GET", url)
        };
        guard.sent(bearer("https://a.example/"), None, &veil, &Silence).await.unwrap();
        let error = guard.sent(bearer("https://b.example/"), None, &veil, &Silence).await.unwrap_err();
        assert!(error.to_string().contains("secret \"key\" towards https://b.example"), "{error}");
    }

    #[test]
    fn an_answer_beyond_the_grant_is_none() {
        let labels = guard(&["adjust /labels/*"]);
        let adjust = |path: &str| {
            let adjustment = Adjustment { path: path.into(), value: serde_json::json!(true) };
            Planned::from(Reply::Adjustments(vec![adjustment]))
        };
        assert!(labels.answers(&mut adjust("/labels/a")).is_ok());
        assert!(labels.answers(&mut adjust("/privileged")).is_err());
        let host = EndpointPlan { attachment: Attachment::ShareHost, ..EndpointPlan::default() };
        assert!(labels.answers(&mut Planned::from(Reply::Endpoint(host))).is_err());
        let write = StateWrite { key: "k".into(), expected: None, new: None };
        let mut wrote = Planned::from(Reply::Done);
        wrote.state = StateWrites { plugin: "other".into(), writes: vec![write] };
        assert!(labels.answers(&mut wrote).is_err());
        assert_eq!(wrote.state.plugin, "p");
    }
}
