//! `start`.

use super::{Answer, done, to_the_end};
use crate::extract::Caller;
use axum::extract::{Path, State};
use davit_engine::Engine;

pub(super) async fn start(State(engine): State<Engine>, Caller(caller): Caller, Path(id): Path<String>) -> Answer {
    to_the_end(async move { engine.start(&caller, &id).await }).await?;
    Ok(done())
}
