//! The one road of every request: answer for its origin and scope, challenge, redirects, retries, deadlines.

use crate::{
    ErrorKind, Registry, Session, access::Access, asker::Asker, backoff, endpoint::Target, failure, origin::Origin,
    tokens::Key,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use davit_model::auth::Answer;
use futures_util::future::BoxFuture;
use reqwest::{
    Method, StatusCode, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER},
};
use std::time::{Duration, Instant};

/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// What a request carries.
pub(crate) enum Payload<'a> {
    /// Nothing.
    Empty,
    /// Bytes that are there.
    Bytes(Bytes),
    /// A stream of `length` bytes that is opened for each try.
    Stream {
        /// The stream's length.
        length: u64,
        /// Opens it.
        open: &'a (dyn Fn() -> BoxFuture<'a, Result<Upload, ErrorKind>> + Send + Sync),
        /// Is told how many bytes were taken.
        sent: &'a (dyn Fn(u64) + Send + Sync),
    },
}

/// An opened stream, and a clock that ticks with each piece that was taken from it.
pub(crate) struct Upload {
    pub(crate) body: reqwest::Body,
    pub(crate) taken: tokio::sync::watch::Receiver<u64>,
}

/// One request.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) target: &'a Target,
    pub(crate) access: &'a Access,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload<'a>,
    /// Whether a broken connection is tried again here; the caller does it otherwise.
    pub(crate) retry: bool,
    /// Whether an answer that is kept from before must not serve.
    pub(crate) fresh: bool,
}

impl<'a> Call<'a> {
    /// A request without headers and body.
    pub(crate) fn new(method: Method, target: &'a Target, access: &'a Access, url: Url) -> Self {
        let retry = matches!(method, Method::GET | Method::HEAD);
        Self { method, target, access, url, headers: HeaderMap::new(), payload: Payload::Empty, retry, fresh: false }
    }

    /// A `GET`.
    pub(crate) fn get(target: &'a Target, access: &'a Access, url: Url) -> Self {
        Self::new(Method::GET, target, access, url)
    }

    /// With a header.
    pub(crate) fn header(mut self, name: reqwest::header::HeaderName, value: &str) -> Result<Self, ErrorKind> {
        let value = HeaderValue::from_str(value)
            .map_err(|_| ErrorKind::Protocol(format!("{value:?} cannot be the value of the header {name}")))?;
        self.headers.append(name, value);
        Ok(self)
    }

    /// With a body.
    pub(crate) fn payload(mut self, payload: Payload<'a>) -> Self {
        self.payload = payload;
        self
    }

    fn redirects(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}

/// An answer, and the origin that gave it after all redirects.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) response: reqwest::Response,
    pub(crate) origin: Origin,
    /// The URL that answered.
    pub(crate) url: Url,
}

impl Registry {
    /// Sends `call`, answering challenges through the session's policy. Any status but 401 and 429 is returned.
    pub(crate) async fn send(&self, session: &Session, call: Call<'_>) -> Result<Answered, ErrorKind> {
        let origin = call.target.origin();
        let offered = session.offered_for(&call.target.registry);
        let key = Key::new(&origin, call.access, session, offered);
        let mut asker = Asker::new(self, session, call.target, call.access, offered);
        // Policy is asked even where an answer is kept, so that a refusal works at once.
        let first = asker.before_the_first(&origin).await?;
        let kept = self.inner.tokens.get(&key).filter(|_| first == Answer::Anonymous && !call.fresh);
        let mut fresh = kept.is_none();
        let mut answer = kept.unwrap_or(first);
        let mut made = Instant::now();
        let mut waited = Duration::ZERO;
        loop {
            let answered = self.transmit_again(&call, &answer).await?;
            match answered.response.status() {
                StatusCode::UNAUTHORIZED if answered.origin == origin => {
                    self.inner.tokens.drop_refused(&key);
                    let next = asker.answer(answered, &answer).await?;
                    (answer, made, fresh) = (next, Instant::now(), true);
                }
                StatusCode::TOO_MANY_REQUESTS => {
                    let asked = retry_after(answered.response.headers());
                    let wait = asked.unwrap_or(Duration::from_secs(1)).max(Duration::from_millis(100));
                    waited += wait;
                    if waited > self.inner.options.timeouts.rate_limit {
                        return Err(ErrorKind::RateLimited { retry_after: asked });
                    }
                    tokio::time::sleep(wait).await;
                }
                _ => {
                    if fresh {
                        if let (Some(realm), Answer::Bearer { .. }) = (asker.realm(), &answer) {
                            self.inner.pins.pin(&call.target.registry, realm);
                        }
                        self.inner.tokens.put(key, answer, made);
                    }
                    return Ok(answered);
                }
            }
        }
    }

    /// One request with its redirects, tried again where it broke on the way or the registry was briefly unable.
    async fn transmit_again(&self, call: &Call<'_>, answer: &Answer) -> Result<Answered, ErrorKind> {
        let mut tries = 0;
        loop {
            let outcome = self.transmit(call, answer).await;
            let again = match &outcome {
                Err(ErrorKind::Broken { .. }) => true,
                Ok(a) => matches!(a.response.status().as_u16(), 500 | 502 | 503 | 504),
                Err(_) => false,
            };
            tries += 1;
            if !again || !call.retry || tries > self.inner.options.retries {
                return outcome;
            }
            tokio::time::sleep(backoff::delay(tries)).await;
        }
    }

    async fn transmit(&self, call: &Call<'_>, answer: &Answer) -> Result<Answered, ErrorKind> {
        let bound_to = call.target.origin();
        let mut url = call.url.clone();
        let mut own = true;
        for _ in 0..=REDIRECTS {
            let origin = Origin::of(&url);
            // Once the road has left the registry's origin, its credential stays behind for good.
            own &= origin == bound_to;
            let mut request = reqwest::Request::new(call.method.clone(), url.clone());
            *request.headers_mut() = call.headers.clone();
            if own && let Some(value) = authorization(answer)? {
                request.headers_mut().insert(AUTHORIZATION, value);
            }
            let response = match self.execute(call, request, &origin).await {
                Ok(response) => response,
                Err(kind) => {
                    self.inner.schemes.forget();
                    return Err(kind);
                }
            };
            let status = response.status();
            if !status.is_redirection() || !call.redirects() || status == StatusCode::NOT_MODIFIED {
                return Ok(Answered { response, origin, url });
            }
            let location = response.headers().get(LOCATION).and_then(|v| v.to_str().ok());
            let location = location.ok_or_else(|| ErrorKind::Protocol(format!("{status} without a location")))?;
            url = follow(&url, location)?;
        }
        Err(ErrorKind::Refused(format!("more than {REDIRECTS} redirects")))
    }

    async fn execute(
        &self,
        call: &Call<'_>,
        mut request: reqwest::Request,
        origin: &Origin,
    ) -> Result<reqwest::Response, ErrorKind> {
        let timeouts = &self.inner.options.timeouts;
        let mut taken = None;
        match &call.payload {
            Payload::Empty => {}
            Payload::Bytes(bytes) => *request.body_mut() = Some(bytes.clone().into()),
            Payload::Stream { length, open, .. } => {
                let upload = open().await?;
                request.headers_mut().insert(reqwest::header::CONTENT_LENGTH, HeaderValue::from(*length));
                *request.body_mut() = Some(upload.body);
                taken = Some(upload.taken);
            }
        }
        let late = |wanted, after| ErrorKind::Timeout { address: origin.as_str().to_owned(), wanted, after };
        let sent = self.inner.http.execute(request);
        tokio::pin!(sent);
        // While a body is taken piece by piece the clock starts anew with each; then the answer has its own time.
        while let Some(watch) = &mut taken {
            tokio::select! {
                outcome = &mut sent => {
                    return outcome.map_err(|e| failure::transport(origin, &e, timeouts.connect));
                }
                moved = tokio::time::timeout(timeouts.stall, watch.changed()) => match moved {
                    Ok(Ok(())) => {
                        if let Payload::Stream { sent, .. } = &call.payload {
                            sent(*watch.borrow_and_update());
                        }
                    }
                    Ok(Err(_)) => taken = None,
                    Err(_) => return Err(late("take data", timeouts.stall)),
                },
            }
        }
        match tokio::time::timeout(timeouts.response, sent).await {
            Ok(outcome) => outcome.map_err(|e| failure::transport(origin, &e, timeouts.connect)),
            Err(_) => Err(late("answer", timeouts.response)),
        }
    }
}

/// The `Authorization` header of an answer, marked as secret.
fn authorization(answer: &Answer) -> Result<Option<HeaderValue>, ErrorKind> {
    let text = match answer {
        Answer::Anonymous => return Ok(None),
        Answer::Basic { user, .. } if user.contains(':') => {
            return Err(ErrorKind::Refused("a user name with a colon cannot be sent by Basic".to_owned()));
        }
        Answer::Basic { user, password } => {
            format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal())))
        }
        Answer::Bearer { token, .. } => format!("Bearer {}", token.reveal()),
    };
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| ErrorKind::Refused("the answer of the auth plugin cannot stand in a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Where a location leads, relative or absolute; never from https to http, never to another scheme.
pub(crate) fn follow(from: &Url, location: &str) -> Result<Url, ErrorKind> {
    let to = from
        .join(location)
        .map_err(|e| ErrorKind::Protocol(format!("the location {location:?} is not an address: {e}")))?;
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => Ok(to),
        _ => Err(ErrorKind::Refused(format!(
            "{} leads to {}, which is not private",
            Origin::of(from).as_str(),
            Origin::of(&to).as_str()
        ))),
    }
}

/// `Retry-After` in seconds; dates are not read.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use davit_model::secret::Secret;

    #[test]
    fn a_redirect_never_leaves_tls() {
        let from = Url::parse("https://a.example/v2/x").unwrap();
        assert!(follow(&from, "http://a.example/y").is_err());
        assert!(follow(&from, "file:///etc/passwd").is_err());
        assert_eq!(follow(&from, "../y?z=1").unwrap().as_str(), "https://a.example/y?z=1");
    }

    #[test]
    fn a_token_cannot_add_headers() {
        let answer = Answer::Bearer { token: Secret::new("a\r\nX-Evil: 1"), valid: Duration::from_secs(1) };
        assert!(authorization(&answer).is_err());
    }
}
