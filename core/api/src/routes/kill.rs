//! `kill`: sends a signal, by name or number.

use super::{Answer, done, to_the_end};
use crate::extract::{Caller, Params};
use axum::extract::{Path, State};
use davit_engine::Engine;

pub(super) async fn kill(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let signal = params.get("signal").unwrap_or("").to_owned();
    to_the_end(async move { engine.kill(&caller, &id, &signal).await }).await?;
    Ok(done())
}
