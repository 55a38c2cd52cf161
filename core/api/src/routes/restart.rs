//! `restart`: stops as `stop` does, and starts.

use super::{Answer, done, to_the_end};
use crate::extract::{Caller, Stopping};
use axum::extract::{Path, State};
use davit_engine::Engine;

pub(super) async fn restart(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    Stopping(options): Stopping,
) -> Answer {
    to_the_end(async move { engine.restart(&caller, &id, &options).await }).await?;
    Ok(done())
}
