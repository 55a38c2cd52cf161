//! The registry as clients know it: demands a token for each request, then hands it to the registry behind.

use crate::{
    scope::Permission,
    state::{Event, State},
};
use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State as Shared},
    http::{
        HeaderValue, Method, StatusCode, Uri,
        header::{AUTHORIZATION, LOCATION, WWW_AUTHENTICATE},
    },
    response::{IntoResponse as _, Response},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;
use std::sync::Arc;

/// The connection to the registry behind.
pub(crate) type Behind = Client<HttpConnector, Body>;

/// A new one.
pub(crate) fn behind() -> Behind {
    Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new().fallback(serve).with_state((state, behind()))
}

async fn serve(Shared((state, behind)): Shared<(Arc<State>, Behind)>, request: Request) -> Response {
    let needed = needed(request.method(), request.uri());
    let token = request.headers().get(AUTHORIZATION).and_then(|v| v.to_str().ok()?.strip_prefix("Bearer "));
    let error = match token.map(|t| state.permissions(t)) {
        None => Some(None),
        Some(None) => Some(Some("invalid_token")),
        Some(Some(has)) if needed.iter().all(|n| has.contains(n)) => None,
        Some(Some(_)) => Some(Some("insufficient_scope")),
    };
    if let Some(error) = error {
        return challenge(&state, &needed, error);
    }
    let blob = request.method() == Method::GET && request.uri().path().contains("/blobs/sha256:");
    if blob && state.config.redirect_blobs {
        let location = format!("http://{}{}", state.storage, request.uri().path());
        return (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)]).into_response();
    }
    forward(&state, &behind, request).await
}

/// Hands a request to the registry behind, without its token.
pub(crate) async fn forward(state: &State, behind: &Behind, mut request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let Ok(uri) = format!("{}{path}", state.config.upstream).parse::<Uri>() else {
        return (StatusCode::BAD_GATEWAY, "the upstream is not an address").into_response();
    };
    *request.uri_mut() = uri;
    request.headers_mut().remove(AUTHORIZATION);
    match behind.request(request).await {
        Ok(response) => response.map(Body::new),
        Err(e) => (StatusCode::BAD_GATEWAY, e.to_string()).into_response(),
    }
}

fn challenge(state: &State, needed: &[Permission], error: Option<&str>) -> Response {
    let mut scopes: Vec<(String, Vec<String>)> = Vec::new();
    for p in needed {
        match scopes.iter_mut().find(|(name, _)| *name == p.repository) {
            Some((_, actions)) => actions.push(p.action.clone()),
            None => scopes.push((p.repository.clone(), vec![p.action.clone()])),
        }
    }
    let scopes: Vec<_> = scopes.iter().map(|(n, a)| format!("repository:{n}:{}", a.join(","))).collect();
    let scope = scopes.join(" ");
    let mut field = format!("Bearer realm=\"{}\",service=\"{}\"", state.realm_for_challenge(), state.config.service);
    if !scope.is_empty() {
        field.push_str(&format!(",scope=\"{scope}\""));
    }
    if let Some(error) = error {
        field.push_str(&format!(",error=\"{error}\""));
    }
    state.note(Event::Challenged { scope, error: error.map(str::to_owned) });
    let body = json!({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]});
    let field = HeaderValue::from_str(&field).unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, field)], Json(body)).into_response()
}

/// What a request needs, by its method and path.
fn needed(method: &Method, uri: &Uri) -> Vec<Permission> {
    let rest = uri.path().strip_prefix("/v2/").unwrap_or_default();
    let ends = ["/manifests/", "/blobs/", "/tags/", "/referrers/"];
    let Some(end) = ends.iter().filter_map(|e| rest.find(e)).min() else { return Vec::new() };
    let repository = rest.get(..end).unwrap_or_default();
    let permission = |r: &str, a: &str| Permission { repository: r.to_owned(), action: a.to_owned() };
    let actions: &[&str] = match *method {
        Method::GET | Method::HEAD => &["pull"],
        Method::DELETE => &["delete"],
        _ => &["pull", "push"],
    };
    let mut all: Vec<_> = actions.iter().map(|a| permission(repository, a)).collect();
    let from = uri.query().unwrap_or_default().split('&').find_map(|p| p.strip_prefix("from="));
    if let Some(from) = from {
        all.push(permission(&from.replace("%2F", "/"), "pull"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_needs_what_it_does() {
        let needs = |m: Method, u: &str| {
            let all = needed(&m, &u.parse().unwrap());
            all.iter().map(|p| format!("{}:{}", p.repository, p.action)).collect::<Vec<_>>()
        };
        assert_eq!(needs(Method::GET, "/v2/"), [""; 0]);
        assert_eq!(needs(Method::HEAD, "/v2/a/b/manifests/1"), ["a/b:pull"]);
        assert_eq!(needs(Method::PUT, "/v2/a/manifests/1"), ["a:pull", "a:push"]);
        assert_eq!(needs(Method::POST, "/v2/a/blobs/uploads/?mount=x&from=b%2Fc"), ["a:pull", "a:push", "b/c:pull"]);
    }
}
