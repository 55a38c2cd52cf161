//! Trades a token of a site's identity for a token of the registry (OAuth 2.0 Token Exchange, RFC 8693).

use crate::{
    scope::{allowed, wanted},
    state::{Event, State},
};
use axum::{
    Form, Json, Router,
    extract::State as Shared,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// The grant type, as it stands in the log as well.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new().route("/exchange", post(exchange)).with_state(state)
}

#[derive(Deserialize)]
struct Fields {
    grant_type: String,
    subject_token: String,
    subject_token_type: String,
    #[serde(default)]
    audience: String,
    #[serde(default)]
    scope: String,
}

async fn exchange(Shared(state): Shared<Arc<State>>, Form(fields): Form<Fields>) -> Response {
    let refuse = |code: &str| {
        state.note(Event::Refused { grant: GRANT.to_owned() });
        (StatusCode::BAD_REQUEST, Json(json!({ "error": code }))).into_response()
    };
    if fields.grant_type != GRANT {
        return refuse("unsupported_grant_type");
    }
    if fields.subject_token_type != JWT {
        return refuse("invalid_request");
    }
    if fields.audience != state.config.service {
        return refuse("invalid_target");
    }
    let Some(user) = state.by_subject(&fields.subject_token) else { return refuse("invalid_grant") };
    let permissions = allowed(wanted(&fields.scope), &user.grants);
    state.note(Event::Issued {
        grant: GRANT.to_owned(),
        account: user.name.clone(),
        scope: fields.scope,
        permissions: permissions.len(),
    });
    match state.issue(permissions) {
        Ok(token) => Json(json!({
            "access_token": token,
            "issued_token_type": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": state.config.valid.as_secs(),
        }))
        .into_response(),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
    }
}
