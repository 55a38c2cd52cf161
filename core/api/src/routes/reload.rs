//! What `/davit/v1` adds: the loaded plugins, and reading the site's file again.

use super::{Answer, to_the_end};
use crate::failure::ApiError;
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use davit_api_types::v1::{Plugin, Reloaded};
use davit_engine::{Engine, policy::LoadedPlugin};

pub(super) async fn plugins(State(engine): State<Engine>) -> Json<Vec<Plugin>> {
    Json(engine.plugins().await.into_iter().map(plugin_of).collect())
}

pub(super) async fn plugin(State(engine): State<Engine>, Path(name): Path<String>) -> Answer<Json<Plugin>> {
    let found = engine.plugins().await.into_iter().find(|p| p.name == name);
    let missing = || ApiError::new(StatusCode::NOT_FOUND, format!("No such plugin: {name}"));
    found.map(|p| Json(plugin_of(p))).ok_or_else(missing)
}

pub(super) async fn reload(State(engine): State<Engine>) -> Answer<Json<Reloaded>> {
    let what = to_the_end(async move { engine.reload().await }).await?;
    Ok(Json(Reloaded { changes: vec![what], ..Reloaded::default() }))
}

fn plugin_of(p: LoadedPlugin) -> Plugin {
    Plugin {
        name: p.name,
        version: p.version,
        digest: p.digest,
        kinds: p.kinds,
        source: p.source,
        state: "ready".to_owned(),
        grants: p.grants,
        ..Plugin::default()
    }
}
