//! A third origin that holds blobs, as registries that keep them elsewhere redirect to. It notes whether a credential
//! came along.

use crate::{
    front::{Behind, behind, forward},
    state::{Event, State},
};
use axum::{
    Router,
    extract::{Request, State as Shared},
    http::header::AUTHORIZATION,
    response::Response,
};
use std::sync::Arc;

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new().fallback(serve).with_state((state, behind()))
}

async fn serve(Shared((state, behind)): Shared<(Arc<State>, Behind)>, request: Request) -> Response {
    state.note(Event::Fetched { authorization: request.headers().contains_key(AUTHORIZATION) });
    forward(&state, &behind, request).await
}
