//! Reading the site's file again (`/davit/v1/reload`).

use super::{Answer, to_the_end};
use axum::{Json, extract::State};
use davit_api_types::v1::Reloaded;
use davit_engine::Engine;

pub(super) async fn reload(State(engine): State<Engine>) -> Answer<Json<Reloaded>> {
    let what = to_the_end(async move { engine.reload().await }).await?;
    Ok(Json(Reloaded { changes: vec![what], ..Reloaded::default() }))
}
