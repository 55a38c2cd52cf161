//! `resize`: the size of a container's terminal, in characters.

use super::Answer;
use crate::extract::Params;
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use davit_engine::Engine;

pub(super) async fn resize(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Answer<StatusCode> {
    let (rows, cols) = size(&params)?;
    engine.resize(&id, rows, cols).await?;
    Ok(StatusCode::OK)
}

/// Height and width; a client whose terminal has no size sends 0.
pub(super) fn size(params: &Params) -> Answer<(u16, u16)> {
    Ok((params.number("h")?.unwrap_or(0), params.number("w")?.unwrap_or(0)))
}
