//! `system df`: what takes room. Sizes of containers and volumes are not counted: -1 is the API's word for that.

use super::Answer;
use crate::show;
use axum::{Json, extract::State};
use davit_engine::{Engine, ImageFilter, ListFilter};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) async fn df(State(engine): State<Engine>) -> Answer<Json<Value>> {
    let images = engine.images(&ImageFilter::default()).await?;
    let containers = engine.list(&ListFilter { all: true, ..ListFilter::default() }).await?;
    let now = Timestamp::now();
    let containers = containers.iter().map(|c| show::summary::summary(c, now)).collect::<Result<Vec<_>, _>>()?;
    let volumes: Vec<Value> = engine
        .volumes()
        .await?
        .iter()
        .map(|v| {
            let mut shown = show::volume::volume(v);
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("UsageData".to_owned(), json!({"Size": -1, "RefCount": v.users.len()}));
            }
            shown
        })
        .collect();
    Ok(Json(json!({
        "LayersSize": images.iter().map(|i| i.size).sum::<u64>(),
        "Images": images.iter().map(show::image::summary).collect::<Vec<_>>(),
        "Containers": containers,
        "Volumes": volumes,
        "BuildCache": [],
    })))
}
