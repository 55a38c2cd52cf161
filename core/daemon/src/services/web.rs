//! HTTP for plugins: no redirect is followed, the answer is cut, and the address that a name resolves to is looked at
//! before anything is sent, so that a name cannot lead to a link-local service of the host.

use davit_model::{
    error::PolicyError,
    services::{HttpRequest, HttpResponse},
};
use reqwest::{
    Client, ClientBuilder, Method, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

const CONNECT: Duration = Duration::from_secs(5);

/// Two clients: one that refuses link-local addresses, one for plugins that were granted them.
#[derive(Debug)]
pub(super) struct Web {
    guarded: Client,
    open: Client,
}

/// Resolves as the system does and refuses link-local addresses.
#[derive(Debug)]
struct Guarded;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.iter().any(|address| is_link_local(address.ip())) {
                return Err(format!("{} is a link-local address, which was not granted", name.as_str()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// The innermost reason, which is the one that people need; a URL may hold what is not for a log.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut inner: &dyn std::error::Error = &error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

impl Web {
    pub(super) fn new() -> Result<Self, PolicyError> {
        // The first one in the process wins; all of ours are the same.
        let _already = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT)
                .referer(false)
                .user_agent("davit")
        };
        let failed =
            |e: reqwest::Error| PolicyError::Internal(format!("the HTTP client cannot be made: {}", reason(e)));
        // A machine without any certificate of an authority can still speak to loopback; https says why it cannot.
        let built = |make: &dyn Fn() -> ClientBuilder| {
            make().build().or_else(|_| make().tls_certs_only([]).build()).map_err(failed)
        };
        Ok(Self { guarded: built(&|| builder().dns_resolver(Arc::new(Guarded)))?, open: built(&builder)? })
    }

    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, PolicyError> {
        let url = Url::parse(&request.url).map_err(|e| PolicyError::Invalid(format!("the URL cannot be read: {e}")))?;
        if !request.allow_link_local && literal(&url).is_some_and(is_link_local) {
            return Err(PolicyError::Denied("a link-local address, which was not granted".to_owned()));
        }
        let client = if request.allow_link_local { &self.open } else { &self.guarded };
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| PolicyError::Invalid("the method is no token".to_owned()))?;
        let origin = url.origin().ascii_serialization();
        let unavailable =
            |text: String| PolicyError::Unavailable { retry_ms: 1000, message: format!("{origin}: {text}") };
        let mut out = client.request(method, url).timeout(Duration::from_millis(request.timeout_ms));
        for (name, value) in &request.headers {
            out = out.header(name, value);
        }
        if let Some(kind) = &request.content_type {
            out = out.header("content-type", kind);
        }
        if let Some(value) = &request.authorization {
            let mut value = reqwest::header::HeaderValue::from_str(value.reveal())
                .map_err(|_| PolicyError::Invalid("the credential cannot stand in a header".to_owned()))?;
            value.set_sensitive(true);
            out = out.header("authorization", value);
        }
        if let Some(body) = &request.body {
            out = out.body(body.reveal().to_owned());
        }
        let mut answer = out.send().await.map_err(|e| unavailable(reason(e)))?;
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| unavailable(reason(e)))? {
            let size = u64::try_from(body.len().saturating_add(chunk.len())).unwrap_or(u64::MAX);
            if size > request.max_body {
                return Err(PolicyError::Internal(format!("{origin} answered more than {} bytes", request.max_body)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status, headers, body })
    }
}
