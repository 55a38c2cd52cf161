//! Issues tokens: by GET with Basic or nobody's, and by POST with a password or a refresh token.

use crate::{
    scope::{Grant, allowed, wanted},
    state::{Event, State, User},
};
use axum::{
    Form, Json, Router,
    extract::{RawQuery, State as Shared},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse as _, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn router(state: Arc<State>) -> Router {
    let log = |Shared(state): Shared<Arc<State>>| async move { Json(state.events()) };
    Router::new().route("/token", get(by_get).post(by_post)).route("/log", get(log)).with_state(state)
}

/// `GET`: any number of `scope` parameters, and `offline_token=true` for a refresh token.
async fn by_get(Shared(state): Shared<Arc<State>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let pairs = pairs(query.as_deref().unwrap_or_default());
    let all = |name: &str| pairs.iter().filter(|(k, _)| k == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
    let scope = all("scope").join(" ");
    if all("service").iter().any(|s| *s != state.config.service) {
        return refuse(&state, "basic", StatusCode::BAD_REQUEST, "another service");
    }
    let (grant, user) = match headers.get(AUTHORIZATION) {
        None => ("anonymous", None),
        Some(value) => match basic(value.to_str().unwrap_or_default()) {
            Some((name, password)) => match state.by_password(&name, &password) {
                Some(user) => ("basic", Some(user)),
                None => return refuse(&state, "basic", StatusCode::UNAUTHORIZED, "incorrect username or password"),
            },
            None => return refuse(&state, "basic", StatusCode::UNAUTHORIZED, "not Basic"),
        },
    };
    let refresh = all("offline_token").contains(&"true");
    issue(&state, grant, user, &scope, refresh, "token")
}

#[derive(Deserialize)]
struct Fields {
    grant_type: String,
    service: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    access_type: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    refresh_token: String,
}

/// `POST`, as OAuth2 has it.
async fn by_post(Shared(state): Shared<Arc<State>>, Form(fields): Form<Fields>) -> Response {
    if fields.service != state.config.service || fields.client_id.is_empty() {
        return refuse(&state, &fields.grant_type, StatusCode::BAD_REQUEST, "another service, or no client_id");
    }
    let user = match fields.grant_type.as_str() {
        "password" => state.by_password(&fields.username, &fields.password),
        "refresh_token" => state.by_refresh(&fields.refresh_token),
        _ => return refuse(&state, "unknown", StatusCode::BAD_REQUEST, "unsupported_grant_type"),
    };
    let Some(user) = user else {
        return refuse(&state, &fields.grant_type, StatusCode::UNAUTHORIZED, "incorrect username or password");
    };
    let refresh = fields.access_type == "offline";
    issue(&state, &fields.grant_type, Some(user), &fields.scope, refresh, "access_token")
}

fn issue(state: &State, grant: &str, user: Option<&User>, scope: &str, refresh: bool, field: &str) -> Response {
    let grants: &[Grant] = user.map_or(&state.config.anonymous, |u| &u.grants);
    let permissions = allowed(wanted(scope), grants);
    state.note(Event::Issued {
        grant: grant.to_owned(),
        account: user.map(|u| u.name.clone()).unwrap_or_default(),
        scope: scope.to_owned(),
        permissions: permissions.len(),
    });
    let made = state.issue(permissions).and_then(|token| {
        let refresh = user.filter(|_| refresh).map(|u| state.issue_refresh(&u.name)).transpose()?;
        Ok((token, refresh))
    });
    match made {
        Ok((token, refresh)) => {
            let mut body = json!({"expires_in": state.config.valid.as_secs()});
            if let Some(map) = body.as_object_mut() {
                map.insert(field.to_owned(), token.into());
                if let Some(refresh) = refresh {
                    map.insert("refresh_token".to_owned(), refresh.into());
                }
            }
            Json(body).into_response()
        }
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
    }
}

fn refuse(state: &State, grant: &str, status: StatusCode, why: &str) -> Response {
    state.note(Event::Refused { grant: grant.to_owned() });
    let errors: Value = json!({"errors": [{"code": "UNAUTHORIZED", "message": why}], "details": why});
    (status, Json(errors)).into_response()
}

fn basic(value: &str) -> Option<(String, String)> {
    let coded = value.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(coded.trim()).ok()?).ok()?;
    text.split_once(':').map(|(u, p)| (u.to_owned(), p.to_owned()))
}

/// A query's pairs, with percent signs and pluses undone.
fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |p: &str| {
        let (name, value) = p.split_once('=').unwrap_or((p, ""));
        (plain(name), plain(value))
    };
    query.split('&').filter(|p| !p.is_empty()).map(pair).collect()
}

fn plain(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        match b {
            b'+' => bytes.push(b' '),
            b'%' => {
                let code: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.extend(u8::from_str_radix(&code, 16));
            }
            b => bytes.push(b),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_as_forms_write_them() {
        let got = pairs("scope=repository%3Aa%2Fb%3Apull&service=x+y&flag");
        let got: Vec<_> = got.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(got, [("scope", "repository:a/b:pull"), ("service", "x y"), ("flag", "")]);
    }
}
