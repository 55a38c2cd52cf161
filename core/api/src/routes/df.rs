//! `system df`: what takes room.

use super::{Answer, list};
use crate::show;
use axum::{Json, extract::State};
use davit_engine::{Engine, ImageFilter, ListFilter};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) async fn df(State(engine): State<Engine>) -> Answer<Json<Value>> {
    let images = engine.images(&ImageFilter::default()).await?;
    let containers = engine.list(&ListFilter { all: true, ..ListFilter::default() }).await?;
    let now = Timestamp::now();
    let mut shown_containers = Vec::with_capacity(containers.len());
    for record in &containers {
        let mut shown = show::summary::summary(record, now)?;
        list::add_sizes(&engine, record.id.as_str(), &mut shown).await?;
        shown_containers.push(shown);
    }
    let mut volumes = Vec::new();
    for volume in engine.volumes().await? {
        let mut shown = show::volume::volume(&volume);
        // One that is removed meanwhile has no size.
        let size = engine.volume_usage(&volume.record.name).await.ok().map_or(json!(-1), |bytes| json!(bytes));
        shown["UsageData"] = json!({"Size": size, "RefCount": volume.users.len()});
        volumes.push(shown);
    }
    Ok(Json(json!({
        "LayersSize": engine.layers_size().await?,
        "Images": images.iter().map(|i| show::image::summary(i, true)).collect::<Vec<_>>(),
        "Containers": shown_containers,
        "Volumes": volumes,
        "BuildCache": [],
    })))
}
