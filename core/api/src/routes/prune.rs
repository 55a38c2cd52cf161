//! `prune`: removes what nothing uses. What cannot be removed is in use again, and stays.

use super::{Answer, to_the_end};
use crate::{
    extract::{Caller, Params},
    failure::ApiError,
};
use axum::{Json, extract::State};
use davit_engine::{Engine, ImageFilter, ListFilter, RemoveOptions, Removed};
use serde_json::{Value, json};

pub(super) async fn containers(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    params: Params,
) -> Answer<Json<Value>> {
    let mut filters = params.filters()?;
    let status = ["created", "exited", "dead"].map(str::to_owned).to_vec();
    let filter = ListFilter { all: true, status, label: filters.take("label"), ..ListFilter::default() };
    filters.finish()?;
    let gone = to_the_end(async move {
        let mut gone = Vec::new();
        for container in engine.list(&filter).await? {
            let id = container.id.to_string();
            if engine.remove(&caller, &id, RemoveOptions::default()).await.is_ok() {
                gone.push(id);
            }
        }
        Ok(gone)
    })
    .await?;
    Ok(Json(json!({"ContainersDeleted": gone, "SpaceReclaimed": 0})))
}

pub(super) async fn images(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    params: Params,
) -> Answer<Json<Value>> {
    let mut filters = params.filters()?;
    // `dangling=false` means: all that no container uses, tagged or not.
    let only_dangling = filters.take_flag("dangling")?.unwrap_or(true);
    let filter =
        ImageFilter { label: filters.take("label"), dangling: only_dangling.then_some(true), reference: vec![] };
    filters.finish()?;
    let gone = to_the_end(async move {
        let mut gone = Vec::new();
        for image in engine.images(&filter).await?.into_iter().filter(|i| i.containers == 0) {
            let names = if image.tags.is_empty() { vec![image.id.to_string()] } else { image.tags };
            for name in names {
                gone.extend(engine.image_remove(&caller, &name, false).await.unwrap_or_default());
            }
        }
        Ok(gone)
    })
    .await?;
    let gone: Vec<Value> = gone.iter().map(|r: &Removed| crate::show::image::removed(r)).collect();
    Ok(Json(json!({"ImagesDeleted": gone, "SpaceReclaimed": 0})))
}

pub(super) async fn volumes(State(engine): State<Engine>, params: Params) -> Answer<Json<Value>> {
    let mut filters = params.filters()?;
    let named_too = filters.take_flag("all")?.unwrap_or(false);
    filters.finish()?;
    let gone = to_the_end(async move {
        let mut gone = Vec::new();
        for volume in engine.volumes().await?.into_iter().filter(|v| v.users.is_empty()) {
            let name = volume.record.name;
            if (named_too || volume.record.anonymous) && engine.volume_remove(&name, false).await.is_ok() {
                gone.push(name);
            }
        }
        Ok(gone)
    })
    .await?;
    Ok::<_, ApiError>(Json(json!({"VolumesDeleted": gone, "SpaceReclaimed": 0})))
}
