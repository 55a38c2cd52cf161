//! `rename`.

use super::{Answer, done, to_the_end};
use crate::{
    extract::{Caller, Params},
    failure::ApiError,
};
use axum::extract::{Path, State};
use davit_engine::Engine;

pub(super) async fn rename(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let new = params.get("name").ok_or_else(|| ApiError::invalid("Neither old nor new names may be empty"))?.to_owned();
    to_the_end(async move { engine.rename(&caller, &id, &new).await }).await?;
    Ok(done())
}
