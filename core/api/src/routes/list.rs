//! `ps`.

use super::Answer;
use crate::{extract::Params, failure::ApiError, filters::Filters, show};
use axum::{Json, extract::State};
use davit_engine::{Engine, Kind, ListFilter, PortFilter, record::Status};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) async fn list(State(engine): State<Engine>, params: Params) -> Answer<Json<Vec<Value>>> {
    let mut filters = params.filters()?;
    // -1 and 0 are "no limit" in clients of all ages.
    let limit = params.number::<i64>("limit")?.filter(|n| *n > 0).and_then(|n| usize::try_from(n).ok());
    let filter = ListFilter {
        all: params.flag("all"),
        limit,
        id: filters.take("id"),
        name: filters.take("name"),
        label: filters.take("label"),
        status: filters.take("status"),
        publish: ports(&mut filters, "publish")?,
        expose: ports(&mut filters, "expose")?,
        exited: filters.take_numbers("exited")?,
        ancestor: filters.take("ancestor"),
        volume: filters.take("volume"),
        network: filters.take("network"),
        before: filters.take("before").pop().or_else(|| params.get("before").map(str::to_owned)),
        since: filters.take("since").pop().or_else(|| params.get("since").map(str::to_owned)),
    };
    // There is no other health than none here, and no service tasks.
    let unhealthy = filters.take("health").iter().any(|h| h != "none");
    let tasks = filters.take_flag("is-task")? == Some(true);
    filters.finish()?;
    if let Some(other) = filter.status.iter().find(|s| Status::parse(s).is_none()) {
        return Err(ApiError::invalid(format!("invalid filter 'status={other}'")));
    }
    if unhealthy || tasks {
        return Ok(Json(Vec::new()));
    }
    let now = Timestamp::now();
    let containers = engine.list(&filter).await?;
    let mut shown = containers.iter().map(|c| show::summary::summary(c, now)).collect::<Answer<Vec<_>>>()?;
    if params.flag("size") {
        for (record, shown) in containers.iter().zip(&mut shown) {
            add_sizes(&engine, record.id.as_str(), shown).await?;
        }
    }
    Ok(Json(shown))
}

/// Ports as `ps` filters name them: `80`, `80/udp`, `8000-8010/tcp`.
fn ports(filters: &mut Filters, key: &str) -> Answer<Vec<PortFilter>> {
    let parse = |text: &String| {
        let bad = || ApiError::invalid(format!("invalid filter '{key}={text}'"));
        let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |n: &str| n.parse::<u16>().map_err(|_| bad());
        Ok(PortFilter { ports: number(first)?..=number(last)?, protocol: protocol.to_owned() })
    };
    filters.take(key).iter().map(parse).collect()
}

/// What a container takes for itself, and with its image. One that is removed meanwhile has no sizes.
pub(super) async fn add_sizes(engine: &Engine, id: &str, shown: &mut Value) -> Answer<()> {
    match engine.container_usage(id).await {
        Ok((own, image)) => {
            shown["SizeRw"] = json!(own);
            shown["SizeRootFs"] = json!(own + image);
            Ok(())
        }
        Err(e) if e.kind() == Kind::NotFound => Ok(()),
        Err(e) => Err(e.into()),
    }
}
