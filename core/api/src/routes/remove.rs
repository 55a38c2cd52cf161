//! `rm`.

use super::{Answer, done, to_the_end};
use crate::{
    extract::{Caller, Params},
    failure::ApiError,
};
use axum::extract::{Path, State};
use davit_engine::{Engine, RemoveOptions};

pub(super) async fn remove(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    if params.flag("link") {
        return Err(ApiError::not_implemented("removing a link"));
    }
    let options = RemoveOptions { force: params.flag("force"), volumes: params.flag("v") };
    to_the_end(async move { engine.remove(&caller, &id, options).await }).await?;
    Ok(done())
}
