//! Volumes: list, inspect, create, remove.

use super::{Answer, done, to_the_end};
use crate::{
    extract::{Caller, JsonBody, Params},
    failure::ApiError,
    show,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use davit_engine::{Engine, VolumeDetails, has_label};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) async fn list(State(engine): State<Engine>, params: Params) -> Answer<Json<Value>> {
    let mut filters = params.filters()?;
    let (names, labels, dangling) = (filters.take("name"), filters.take("label"), filters.take_flag("dangling")?);
    filters.finish()?;
    let wanted = |v: &&VolumeDetails| {
        (names.is_empty() || names.iter().any(|n| v.record.name.contains(n.as_str())))
            && labels.iter().all(|l| has_label(&v.record.labels, l))
            && dangling.is_none_or(|d| d == v.users.is_empty())
    };
    let volumes: Vec<Value> = engine.volumes().await?.iter().filter(wanted).map(show::volume::volume).collect();
    Ok(Json(json!({"Volumes": volumes, "Warnings": null})))
}

pub(super) async fn inspect(State(engine): State<Engine>, Path(name): Path<String>) -> Answer<Json<Value>> {
    Ok(Json(show::volume::volume(&engine.volume_inspect(&name).await?)))
}

/// The body of a request for a volume.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Body {
    name: Option<String>,
    driver: Option<String>,
    driver_opts: Option<BTreeMap<String, String>>,
    labels: Option<BTreeMap<String, String>>,
}

pub(super) async fn create(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    JsonBody(body): JsonBody<Body>,
) -> Answer<(StatusCode, Json<Value>)> {
    if let Some(driver) = body.driver.filter(|d| !d.is_empty() && d != "local") {
        return Err(ApiError::invalid(format!("volume driver {driver:?} is not supported by this engine")));
    }
    if body.driver_opts.is_some_and(|o| !o.is_empty()) {
        return Err(ApiError::invalid("options of a volume's driver are not supported by this engine"));
    }
    let name = body.name.filter(|n| !n.is_empty());
    let labels = body.labels.unwrap_or_default();
    let made = to_the_end(async move { engine.volume_create(&caller, name.as_deref(), labels).await }).await?;
    Ok((StatusCode::CREATED, Json(show::volume::volume(&made))))
}

pub(super) async fn remove(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let force = params.flag("force");
    to_the_end(async move { engine.volume_remove(&caller, &name, force).await }).await?;
    Ok(done())
}
