//! `update`: other limits and another restart policy.

use super::{Answer, to_the_end};
use crate::{
    create::to_update,
    extract::{Caller, JsonBody},
};
use axum::{
    Json,
    extract::{Path, State},
};
use davit_engine::Engine;
use serde_json::{Value, json};

pub(super) async fn update(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Value>,
) -> Answer<Json<Value>> {
    let (options, mut warnings) = to_update(body)?;
    warnings.extend(to_the_end(async move { engine.update(&caller, &id, options).await }).await?);
    Ok(Json(json!({"Warnings": warnings})))
}
