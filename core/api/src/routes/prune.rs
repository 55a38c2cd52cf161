//! `prune`: removes what nothing uses, and tells how much room that made.

use super::{Answer, to_the_end};
use crate::{
    extract::{Caller, Params},
    show,
};
use axum::{Json, extract::State};
use davit_engine::Engine;
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) async fn containers(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    params: Params,
) -> Answer<Json<Value>> {
    let filter = params.filters()?.finish_prune(Timestamp::now())?;
    let pruned = to_the_end(async move { engine.containers_prune(&caller, &filter).await }).await?;
    Ok(Json(json!({"ContainersDeleted": pruned.gone, "SpaceReclaimed": pruned.bytes})))
}

pub(super) async fn images(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    params: Params,
) -> Answer<Json<Value>> {
    let mut filters = params.filters()?;
    // `dangling=false` means: all that no container uses, tagged or not.
    let all = !filters.take_flag("dangling")?.unwrap_or(true);
    let filter = filters.finish_prune(Timestamp::now())?;
    let pruned = to_the_end(async move { engine.images_prune(&caller, all, &filter).await }).await?;
    let gone: Vec<Value> = pruned.gone.iter().map(show::image::removed).collect();
    Ok(Json(json!({"ImagesDeleted": gone, "SpaceReclaimed": pruned.bytes})))
}

pub(super) async fn volumes(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    params: Params,
) -> Answer<Json<Value>> {
    let mut filters = params.filters()?;
    let named_too = filters.take_flag("all")?.unwrap_or(false);
    let filter = filters.finish_prune(Timestamp::now())?;
    let pruned = to_the_end(async move { engine.volumes_prune(&caller, named_too, &filter).await }).await?;
    Ok(Json(json!({"VolumesDeleted": pruned.gone, "SpaceReclaimed": pruned.bytes})))
}
