//! Networks: list and inspect. Making and removing them comes later.

use super::Answer;
use crate::{extract::Params, failure::ApiError, show};
use axum::{
    Json,
    extract::{Path, State},
};
use davit_engine::{Engine, NetworkDetails};
use serde_json::Value;

pub(super) async fn list(State(engine): State<Engine>, params: Params) -> Answer<Json<Vec<Value>>> {
    let mut filters = params.filters()?;
    let (names, ids, drivers) = (filters.take("name"), filters.take("id"), filters.take("driver"));
    filters.finish()?;
    let any = |wanted: &[String], test: &dyn Fn(&String) -> bool| wanted.is_empty() || wanted.iter().any(test);
    let wanted = |n: &&NetworkDetails| {
        any(&names, &|w| n.record.name.contains(w.as_str()))
            && any(&ids, &|w| n.record.id.starts_with(w.as_str()))
            && any(&drivers, &|w| n.record.driver == *w)
    };
    Ok(Json(engine.networks().await?.iter().filter(wanted).map(show::network::network).collect()))
}

pub(super) async fn inspect(State(engine): State<Engine>, Path(id): Path<String>) -> Answer<Json<Value>> {
    Ok(Json(show::network::inspect(&engine.network_inspect(&id).await?)))
}

pub(super) async fn not_yet() -> ApiError {
    ApiError::not_implemented("making, changing or removing a network")
}
