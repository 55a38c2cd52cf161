//! `stats`: once, or once a second until the client leaves or the container is gone.

use super::Answer;
use crate::{extract::Params, show, stream};
use axum::extract::{Path, State};
use davit_engine::{Engine, INTERVAL, Reading};

pub(super) async fn stats(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Answer {
    let goes_on = params.get("stream").is_none() || params.flag("stream");
    let first = engine.stats(&id).await?;
    // By id: the name may become another's.
    let id = first.id.clone();
    if goes_on {
        let state = (engine, id, Reading::default(), Some(first));
        return Ok(stream::answer("application/json", state, |(engine, id, before, ready)| async move {
            let now = match ready {
                Some(first) => first,
                None => {
                    tokio::time::sleep(INTERVAL).await;
                    engine.stats(&id).await.ok()?
                }
            };
            Some((stream::line(&show::stats::stats(&before, &now)), (engine, id, now, None)))
        }));
    }
    // A share of CPU time needs two readings, unless the client has an earlier one of its own.
    let (before, now) = if params.flag("one-shot") || !first.runs {
        (Reading::default(), first)
    } else {
        tokio::time::sleep(INTERVAL).await;
        (first, engine.stats(&id).await?)
    };
    let text = Some(stream::line(&show::stats::stats(&before, &now)));
    Ok(stream::answer("application/json", text, |text| async move { text.map(|text| (text, None)) }))
}
