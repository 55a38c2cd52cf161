//! `_ping`: clients learn the API's version from its headers, which every answer has.

use axum::{http::header, response::IntoResponse};

pub(super) async fn ping() -> impl IntoResponse {
    let headers = [
        (header::CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
        (header::PRAGMA, "no-cache"),
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
    ];
    (headers, "OK")
}
