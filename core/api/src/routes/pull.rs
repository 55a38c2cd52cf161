//! `pull`.

use super::{Answer, images::reference, progress};
use crate::{
    extract::{Caller, Offered, Params},
    failure::ApiError,
};
use axum::extract::State;
use davit_engine::Engine;

pub(super) async fn pull(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    params: Params,
    offered: Offered,
) -> Answer {
    if params.get("fromSrc").is_some() {
        return Err(ApiError::not_implemented("importing an image"));
    }
    let name = params.get("fromImage").ok_or_else(|| ApiError::invalid("no image to pull: fromImage is empty"))?;
    let reference = reference(name, params.get("tag"))?;
    let credential = offered.for_server(reference.registry());
    progress::answer(engine.pull(&caller, &reference, credential, params.get("platform")).await?).await
}
