//! `inspect` of a container.

use super::{Answer, list};
use crate::{extract::Params, show};
use axum::{
    Json,
    extract::{Path, State},
};
use davit_engine::Engine;
use serde_json::Value;

pub(super) async fn inspect(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    params: Params,
) -> Answer<Json<Value>> {
    let details = engine.inspect(&id).await?;
    let mut shown = show::container::inspect(&details);
    if params.flag("size") {
        list::add_sizes(&engine, details.record.id.as_str(), &mut shown).await?;
    }
    Ok(Json(shown))
}
