//! `events`: what happens, one JSON object a line, as it happens.

use super::Answer;
use crate::{extract::Params, failure::ApiError, show, stream};
use axum::extract::State;
use davit_engine::{Engine, EventFilter};

pub(super) async fn events(State(engine): State<Engine>, params: Params) -> Answer {
    let mut filters = params.filters()?;
    let filter = EventFilter {
        since_ms: moment(&params, "since")?,
        until_ms: moment(&params, "until")?,
        types: filters.take("type"),
        actions: filters.take("event"),
        containers: filters.take("container"),
        images: filters.take("image"),
        labels: filters.take("label"),
    };
    filters.finish()?;
    let events = engine.events(filter).await?;
    Ok(stream::answer("application/json", events, |mut events| async move {
        let event = events.next().await?;
        Some((stream::line(&show::event::event(&event)), events))
    }))
}

/// A moment in milliseconds since 1970.
fn moment(params: &Params, name: &str) -> Answer<Option<u64>> {
    match params.get(name) {
        None | Some("0") => Ok(None),
        Some(text) => match show::time::parse(text) {
            Some(time) => Ok(Some(u64::try_from(time.as_millisecond()).unwrap_or(0))),
            None => Err(ApiError::invalid(format!("invalid value for {name}: {text:?} is no time"))),
        },
    }
}
