//! `inspect` of a container.

use super::Answer;
use crate::show;
use axum::{
    Json,
    extract::{Path, State},
};
use davit_engine::Engine;
use serde_json::Value;

pub(super) async fn inspect(State(engine): State<Engine>, Path(id): Path<String>) -> Answer<Json<Value>> {
    Ok(Json(show::container::inspect(&engine.inspect(&id).await?)))
}
