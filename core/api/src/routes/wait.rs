//! `wait`: the headers go out at once, because clients wait before they start; the answer comes at the end.

use super::Answer;
use crate::{extract::Params, failure::ApiError, stream};
use axum::extract::{Path, State};
use davit_engine::{Engine, WaitCondition, WaitResult};
use serde_json::{Value, json};

pub(super) async fn wait(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Answer {
    let condition = match params.get("condition") {
        None | Some("not-running") => WaitCondition::NotRunning,
        Some("next-exit") => WaitCondition::NextExit,
        Some("removed") => WaitCondition::Removed,
        Some(other) => return Err(ApiError::invalid(format!("invalid condition: {other:?}"))),
    };
    let end = engine.wait(&id, condition).await?;
    let end = Some(Box::pin(end));
    Ok(stream::answer("application/json", end, |end| async move {
        let result = end?.await;
        Some((stream::line(&shown(&result)), None))
    }))
}

fn shown(result: &WaitResult) -> Value {
    match &result.error {
        Some(why) => json!({"StatusCode": result.code, "Error": {"Message": why}}),
        None => json!({"StatusCode": result.code}),
    }
}
