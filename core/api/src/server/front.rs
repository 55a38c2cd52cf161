//! What every request passes: the version prefix goes, the caller comes, the API's headers are added, and one line is
//! logged.

use super::Peer;
use crate::{failure::ApiError, version};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, uri::PathAndQuery},
    response::IntoResponse,
};
use davit_api_types::API_VERSION;
use hyper::{body::Incoming, service::Service};
use hyper_util::service::TowerToHyperService;
use std::time::Instant;

/// The front of one connection.
pub(crate) struct Front {
    router: TowerToHyperService<Router>,
    peer: Peer,
}

impl Front {
    pub(crate) fn new(router: Router, peer: Peer) -> Self {
        Self { router: TowerToHyperService::new(router), peer }
    }

    /// Answers a request. Nothing here fails: what goes wrong is an answer as well.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let begun = Instant::now();
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let mut response = match self.prepare(request) {
            Ok(request) => match self.router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Err(e) => e.into_response(),
        };
        add_headers(response.headers_mut());
        let status = response.status().as_u16();
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let caller = &self.peer.caller;
        if status >= 500 {
            tracing::warn!(%method, path, status, ms, %caller, "request");
        } else {
            tracing::debug!(%method, path, status, ms, %caller, "request");
        }
        response
    }

    fn prepare(&self, mut request: Request<Incoming>) -> Result<Request<Incoming>, ApiError> {
        let (version, rest) = version::split(request.uri().path())?;
        let target = match request.uri().query() {
            Some(query) => format!("{rest}?{query}"),
            None => rest.to_owned(),
        };
        let target = PathAndQuery::try_from(target).map_err(|e| ApiError::invalid(format!("bad path: {e}")))?;
        *request.uri_mut() = Uri::from(target);
        request.extensions_mut().insert(version);
        request.extensions_mut().insert(self.peer.clone());
        Ok(request)
    }
}

/// The headers that clients read from any answer.
fn add_headers(headers: &mut HeaderMap) {
    const OURS: [(&str, &str); 5] = [
        ("api-version", API_VERSION),
        ("ostype", "linux"),
        ("docker-experimental", "false"),
        ("builder-version", "1"),
        ("server", concat!("Davit/", env!("CARGO_PKG_VERSION"), " (linux)")),
    ];
    for (name, value) in OURS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}
