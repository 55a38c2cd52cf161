//! `version` and `info`.

use super::Answer;
use crate::show;
use axum::{Json, extract::State};
use davit_engine::Engine;
use jiff::Timestamp;
use serde_json::Value;

pub(super) async fn version(State(engine): State<Engine>) -> Json<Value> {
    Json(show::info::version(&engine.version().await))
}

pub(super) async fn info(State(engine): State<Engine>) -> Answer<Json<Value>> {
    let version = engine.version().await.version;
    Ok(Json(show::info::info(&engine.info().await?, &version, Timestamp::now())))
}
