//! `top`: a container's processes.

use super::Answer;
use crate::extract::Params;
use axum::{
    Json,
    extract::{Path, State},
};
use davit_engine::Engine;
use serde_json::{Value, json};

pub(super) async fn top(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Answer<Json<Value>> {
    let (titles, processes) = engine.top(&id, params.get("ps_args").unwrap_or("")).await?;
    Ok(Json(json!({"Titles": titles, "Processes": processes})))
}
