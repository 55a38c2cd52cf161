//! `pause` and `unpause`.

use super::{Answer, done, to_the_end};
use crate::extract::Caller;
use axum::extract::{Path, State};
use davit_engine::Engine;

pub(super) async fn pause(State(engine): State<Engine>, Caller(caller): Caller, Path(id): Path<String>) -> Answer {
    to_the_end(async move { engine.pause(&caller, &id).await }).await?;
    Ok(done())
}

pub(super) async fn unpause(State(engine): State<Engine>, Caller(caller): Caller, Path(id): Path<String>) -> Answer {
    to_the_end(async move { engine.unpause(&caller, &id).await }).await?;
    Ok(done())
}
