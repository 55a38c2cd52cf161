//! Secrets stay with the daemon. What goes over the socket in their place are marks, new for each call; where a mark comes
//! back in a request or an answer, the secret takes its place here, if it may be sent there. Who takes the host process
//! over holds marks.
//!
//! It does not know what a plugin was granted: that is [`super::guard`].

use crate::{
    hmac::hmac_sha256,
    origin::Origin,
    question::{AuthCall, Question, Reply},
    secret::{Bound, OPEN_HEADERS, OPEN_MEMBERS, fingerprint},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use davit_model::{
    auth::{Answer, Credential},
    error::PolicyError,
    secret::Secret,
    services::{HttpRequest, HttpResponse},
};
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use url::form_urlencoded;

/// What marks begin with. They hold nothing that a form or a header would write otherwise.
const MARK: &str = "davit-veiled-";
/// Hexadecimal digits after it.
const DIGITS: usize = 32;
/// Secrets of one call.
const MOST: usize = 4096;
const FORM: &str = "application/x-www-form-urlencoded";

/// The secrets of one call.
#[derive(Default)]
pub(super) struct Veil(Mutex<Vec<Covered>>);

struct Covered {
    mark: String,
    secret: Secret,
    bound: Bound,
}

/// Whether a secret that is so bound may go where it is about to.
type May<'a> = &'a dyn Fn(&Bound) -> Result<(), PolicyError>;

impl Veil {
    fn all(&self) -> MutexGuard<'_, Vec<Covered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mark of a secret.
    pub(super) fn cover(&self, secret: Secret, bound: Bound) -> Result<Secret, PolicyError> {
        let mut all = self.all();
        if all.len() >= MOST {
            return Err(PolicyError::Internal(format!("a call has at most {MOST} secrets")));
        }
        let mut random = [0u8; DIGITS / 2];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
            .map_err(|e| PolicyError::Internal(format!("no random bytes: {e}")))?;
        let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let mark = format!("{MARK}{digits}");
        all.push(Covered { mark: mark.clone(), secret, bound });
        Ok(Secret::new(mark))
    }

    /// As [`Veil::cover`], of a credential for the registry of the call's challenge.
    pub(super) fn credential(&self, credential: Credential) -> Result<Credential, PolicyError> {
        let secret = self.cover(credential.secret.clone(), Bound::Challenge)?;
        Ok(Credential { secret, ..credential })
    }

    /// A question as it goes over the socket.
    pub(super) fn question(&self, question: &Question) -> Result<Question, PolicyError> {
        let mut question = question.clone();
        if let Question::RegistryAuth(AuthCall::Authenticate { challenge }) = &mut question {
            let offered = challenge.offered.take();
            challenge.offered = offered.map(|credential| self.credential(credential)).transpose()?;
        }
        Ok(question)
    }

    /// A text with secrets in the place of their marks, each written so; none: it has no mark.
    fn revealed(&self, text: &str, written: fn(&str) -> String, may: May<'_>) -> Result<Option<Secret>, PolicyError> {
        let all = self.all();
        let mut out = String::new();
        let (mut rest, mut any) = (text, false);
        while let Some((before, after)) = rest.split_once(MARK) {
            out.push_str(before);
            let covered = after.get(..DIGITS).and_then(|digits| all.iter().find(|c| c.mark.ends_with(digits)));
            match covered {
                Some(covered) => {
                    may(&covered.bound)?;
                    out.push_str(&written(covered.secret.reveal()));
                    rest = after.get(DIGITS..).unwrap_or_default();
                    any = true;
                }
                // Of another call, or of nobody's.
                None => {
                    out.push_str(MARK);
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        Ok(any.then(|| Secret::new(out)))
    }

    /// A request as it is sent, and whether it carries a secret.
    pub(super) fn request(&self, request: &mut HttpRequest, may: May<'_>) -> Result<bool, PolicyError> {
        let mut any = false;
        if let Some(value) = &request.authorization {
            let sent = match value.reveal().strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok()) {
                Some(plain) => {
                    let sent = self.revealed(&String::from_utf8_lossy(&plain), str::to_owned, may)?;
                    sent.map(|plain| Secret::new(format!("Basic {}", STANDARD.encode(plain.reveal()))))
                }
                None => self.revealed(value.reveal(), str::to_owned, may)?,
            };
            any |= sent.is_some();
            request.authorization = sent.or(request.authorization.take());
        }
        if let (Some(body), Some(FORM)) = (&request.body, request.content_type.as_deref()) {
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let sent = self.revealed(body.reveal(), encoded, may)?;
            any |= sent.is_some();
            request.body = sent.or(request.body.take());
        }
        Ok(any)
    }

    /// The answer of `origin` to a request that carried a secret: texts that may be one are covered.
    pub(super) fn response(&self, answer: &mut HttpResponse, origin: &Origin) -> Result<(), PolicyError> {
        answer.headers.retain(|(name, _)| OPEN_HEADERS.contains(&name.as_str()));
        let parsed = serde_json::from_slice::<Value>(&std::mem::take(&mut answer.body));
        // What is not JSON is of no use to the guest, who may not see it.
        let Ok(mut parsed) = parsed else { return Ok(()) };
        self.cover_texts(&mut parsed, origin)?;
        answer.body = serde_json::to_vec(&parsed).map_err(|e| PolicyError::Internal(format!("an answer: {e}")))?;
        Ok(())
    }

    fn cover_texts(&self, value: &mut Value, origin: &Origin) -> Result<(), PolicyError> {
        match value {
            Value::String(text) => {
                let secret = Secret::new(std::mem::take(text));
                self.cover(secret, Bound::Origin(origin.clone()))?.reveal().clone_into(text);
                Ok(())
            }
            Value::Array(all) => all.iter_mut().try_for_each(|one| self.cover_texts(one, origin)),
            Value::Object(members) => members
                .iter_mut()
                .filter(|(name, one)| !(one.is_string() && OPEN_MEMBERS.contains(&name.as_str())))
                .try_for_each(|(_, one)| self.cover_texts(one, origin)),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    /// An answer to a registry's challenge, as the core gives it.
    pub(super) fn reply(&self, reply: &mut Reply, may: May<'_>) -> Result<(), PolicyError> {
        if let Reply::Answer(Answer::Basic { password: secret, .. } | Answer::Bearer { token: secret, .. }) = reply
            && let Some(revealed) = self.revealed(secret.reveal(), str::to_owned, may)?
        {
            *secret = revealed;
        }
        Ok(())
    }

    /// See `secrets.wit`; a text that is no mark is no secret of the daemon's.
    pub(super) fn fingerprint(&self, mark: &Secret) -> String {
        let all = self.all();
        fingerprint(all.iter().find(|c| c.mark == mark.reveal()).map_or(mark, |covered| &covered.secret))
    }

    /// See `secrets.wit`.
    pub(super) fn hmac(&self, mark: &Secret, data: &[u8]) -> Result<Vec<u8>, PolicyError> {
        let all = self.all();
        match all.iter().find(|c| c.mark == mark.reveal()) {
            Some(Covered { secret, bound: Bound::Site(_), .. }) => {
                Ok(hmac_sha256(secret.reveal().as_bytes(), data).to_vec())
            }
            _ => Err(PolicyError::Denied("only a secret that the site names may sign".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn origin() -> Origin {
        "https://vault.example".parse().unwrap()
    }

    fn all(_: &Bound) -> Result<(), PolicyError> {
        Ok(())
    }

    fn none(_: &Bound) -> Result<(), PolicyError> {
        Err(PolicyError::Denied("not there".to_owned()))
    }

    fn request(authorization: &str, form: &str) -> HttpRequest {
        HttpRequest {
            method: "POST".into(),
            url: "https://vault.example/".into(),
            headers: vec![],
            authorization: Some(Secret::new(authorization)),
            body: Some(Secret::new(form)),
            content_type: Some(FORM.into()),
            max_body: 1,
            timeout_ms: 1,
            allow_link_local: false,
        }
    }

    #[test]
    fn a_secret_takes_the_place_of_its_mark_where_it_may_go_and_nowhere_else() {
        let veil = Veil::default();
        let mark = veil.cover(Secret::new("p&s"), Bound::Site("key".into())).unwrap();
        assert!(!mark.reveal().contains("p&s"));
        let basic = format!("Basic {}", STANDARD.encode(format!("ada:{}", mark.reveal())));
        let form = format!("grant_type=x&token={}&more=1", mark.reveal());
        let mut sent = request(&basic, &form);
        assert!(veil.request(&mut sent, &all).unwrap());
        assert_eq!(sent.authorization.unwrap().reveal(), format!("Basic {}", STANDARD.encode("ada:p&s")));
        assert_eq!(sent.body.unwrap().reveal(), "grant_type=x&token=p%26s&more=1");
        let mut sent = request(&format!("Bearer {}", mark.reveal()), "a=b");
        assert!(veil.request(&mut sent, &none).is_err());
        assert!(veil.request(&mut sent, &all).unwrap());
        assert_eq!(sent.authorization.unwrap().reveal(), "Bearer p&s");
        // Marks of another call are texts like any other.
        let mut other = request(&format!("Bearer {}", mark.reveal()), &format!("a={MARK}"));
        assert!(!Veil::default().request(&mut other, &none).unwrap());
        assert_eq!(other.authorization.unwrap().reveal(), format!("Bearer {}", mark.reveal()));
        assert_eq!(other.body.unwrap().reveal(), format!("a={MARK}"));
    }

    #[test]
    fn what_a_guarded_answer_says_is_covered_and_can_be_answered_with() {
        let veil = Veil::default();
        let mut answer = HttpResponse {
            status: 200,
            headers: vec![("x-token".into(), "t0ken".into()), ("date".into(), "today".into())],
            body: br#"{"token": "t0ken", "expires_in": 300, "scope": "pull", "all": ["t1ken"]}"#.to_vec(),
        };
        veil.response(&mut answer, &origin()).unwrap();
        let text = String::from_utf8(answer.body.clone()).unwrap();
        assert!(!text.contains("t0ken") && !text.contains("t1ken") && answer.headers.len() == 1, "{answer:?}");
        let parsed: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((&parsed["scope"], &parsed["expires_in"]), (&Value::from("pull"), &Value::from(300)));
        let token = Secret::new(parsed["token"].as_str().unwrap());
        let mut reply = Reply::Answer(Answer::Bearer { token: token.clone(), valid: Duration::ZERO });
        veil.reply(&mut reply, &all).unwrap();
        assert!(matches!(reply, Reply::Answer(Answer::Bearer { token, .. }) if token.reveal() == "t0ken"));
        assert!(veil.hmac(&token, b"data").is_err(), "only what the site names signs");
        let mut page = HttpResponse { status: 200, headers: vec![], body: b"<p>t0ken".to_vec() };
        veil.response(&mut page, &origin()).unwrap();
        assert!(page.body.is_empty());
    }

    #[test]
    fn equal_secrets_have_equal_fingerprints_whatever_their_marks() {
        let veil = Veil::default();
        let mark = |text: &str| veil.cover(Secret::new(text), Bound::Site("key".into())).unwrap();
        let (one, same, other) = (mark("a"), mark("a"), mark("b"));
        assert_ne!(one, same);
        assert_eq!(veil.fingerprint(&one), veil.fingerprint(&same));
        assert_ne!(veil.fingerprint(&one), veil.fingerprint(&other));
        assert_eq!(veil.hmac(&one, b"d").unwrap(), hmac_sha256(b"a", b"d"));
    }
}
