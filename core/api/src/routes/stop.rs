//! `stop`: `t` is how many seconds the process has before it is killed; -1 is for ever.

use super::{Answer, done, to_the_end};
use crate::extract::{Caller, Stopping};
use axum::extract::{Path, State};
use davit_engine::Engine;

pub(super) async fn stop(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    Stopping(options): Stopping,
) -> Answer {
    to_the_end(async move { engine.stop(&caller, &id, &options).await }).await?;
    Ok(done())
}
