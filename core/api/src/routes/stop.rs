//! `stop`: `t` is how many seconds the process has before it is killed; -1 is for ever.

use super::{Answer, done, to_the_end};
use crate::extract::{Caller, Params};
use axum::extract::{Path, State};
use davit_engine::Engine;

pub(super) async fn stop(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let timeout = params.number::<i64>("t")?;
    let signal = params.get("signal").map(str::to_owned);
    to_the_end(async move { engine.stop(&caller, &id, timeout, signal.as_deref()).await }).await?;
    Ok(done())
}
