//! Images: list, inspect, history, tag, `rmi`. An image's name holds slashes, so the verb stands at the path's end.

use super::{Answer, push, to_the_end};
use crate::{
    extract::{Caller, Offered, Params},
    failure::ApiError,
    show,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::IntoResponse,
};
use davit_engine::{Engine, ImageFilter};
use davit_model::reference::Reference;
use serde_json::Value;

pub(super) async fn list(State(engine): State<Engine>, params: Params) -> Answer<Json<Vec<Value>>> {
    let mut filters = params.filters()?;
    let mut reference = filters.take("reference");
    // Clients before 1.25 name it so.
    reference.extend(params.get("filter").map(str::to_owned));
    let filter = ImageFilter { reference, label: filters.take("label"), dangling: filters.take_flag("dangling")? };
    filters.finish()?;
    let shared = params.flag("shared-size");
    Ok(Json(engine.images(&filter).await?.iter().map(|i| show::image::summary(i, shared)).collect()))
}

pub(super) async fn get(State(engine): State<Engine>, Path(rest): Path<String>) -> Answer {
    match rest.rsplit_once('/') {
        Some((name, "json")) => Ok(Json(show::image::inspect(&engine.image_inspect(name).await?)).into_response()),
        Some((name, "history")) => {
            let items: Vec<Value> = engine.history(name).await?.iter().map(show::image::history).collect();
            Ok(Json(items).into_response())
        }
        Some((_, "get")) => Err(ApiError::not_implemented("saving an image")),
        _ if rest == "get" => Err(ApiError::not_implemented("saving an image")),
        _ => Err(ApiError::no_such_page()),
    }
}

pub(super) async fn post(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(rest): Path<String>,
    params: Params,
    offered: Offered,
) -> Answer {
    match rest.rsplit_once('/') {
        Some((name, "tag")) => {
            let target = reference(params.get("repo").unwrap_or(""), params.get("tag"))?;
            let name = name.to_owned();
            to_the_end(async move { engine.tag(&caller, &name, &target).await }).await?;
            Ok(StatusCode::CREATED.into_response())
        }
        Some((name, "push")) => push::push(&engine, &caller, reference(name, params.get("tag"))?, offered).await,
        _ if rest == "load" => Err(ApiError::not_implemented("loading an image")),
        _ => Err(ApiError::no_such_page()),
    }
}

pub(super) async fn remove(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(name): Path<String>,
    params: Params,
) -> Answer<Json<Vec<Value>>> {
    let force = params.flag("force");
    let removed = to_the_end(async move { engine.image_remove(&caller, &name, force).await }).await?;
    Ok(Json(removed.iter().map(show::image::removed).collect()))
}

/// A repository with a tag or digest beside it, as the API splits references.
pub(super) fn reference(name: &str, tag: Option<&str>) -> Answer<Reference> {
    let text = match tag {
        Some(digest) if digest.starts_with("sha256:") => format!("{name}@{digest}"),
        Some(tag) => format!("{name}:{tag}"),
        None => name.to_owned(),
    };
    text.parse().map_err(|e: davit_model::reference::ReferenceError| ApiError::invalid(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::reference;

    #[test]
    fn references_come_in_two_parts() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (name, tag, want) in [
            ("127.0.0.1:5000/a/b", Some("1"), "127.0.0.1:5000/a/b:1".to_owned()),
            ("busybox", None, "busybox:latest".to_owned()),
            ("busybox", Some(digest.as_str()), format!("busybox@{digest}")),
        ] {
            assert_eq!(reference(name, tag).unwrap().familiar(), want);
        }
        assert!(reference("Bad", Some("1")).unwrap_err().to_string().starts_with("invalid reference format"));
    }
}
