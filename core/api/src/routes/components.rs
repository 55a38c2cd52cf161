//! Components on their way in and out (`/davit/v1/components`): what a plugin is made of.

use super::{Answer, images::reference, plugins::component, progress};
use crate::{
    extract::{Caller, Offered, Params},
    failure::ApiError,
    show,
};
use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use davit_api_types::v1::{Component, LARGEST_COMPONENT};
use davit_engine::{Engine, plugins};

const _: () = assert!(LARGEST_COMPONENT == plugins::LARGEST_COMPONENT, "clients are told what the engine takes");

/// Takes a component that the client has at hand.
pub(super) async fn bring(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    params: Params,
    body: Body,
) -> Answer<Json<Component>> {
    let limit = usize::try_from(LARGEST_COMPONENT).unwrap_or(usize::MAX);
    let bytes = to_bytes(body, limit).await;
    let bytes = bytes.map_err(|e| ApiError::invalid(format!("taking a component of at most {limit} bytes: {e}")))?;
    let source = params.get("source").unwrap_or("a client's bytes");
    Ok(Json(show::plugin::component(engine.bring_component(&caller, bytes.to_vec(), source).await?)))
}

/// Pulls one from a registry.
pub(super) async fn pull(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    params: Params,
    offered: Offered,
) -> Answer {
    let reference = asked(&params)?;
    let credential = offered.for_server(reference.registry());
    progress::answer(engine.pull_component(&caller, &reference, credential).await?).await
}

/// A component, its bytes (`…/content`): names hold slashes, so what is wanted of them is at the end.
pub(super) async fn get(State(engine): State<Engine>, Path(rest): Path<String>) -> Answer {
    if let Some(digest) = rest.strip_suffix("/content") {
        let bytes = engine.component_bytes(&component(digest)?).await?;
        let mut response = Response::new(Body::from(bytes));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/wasm"));
        return Ok(response);
    }
    let found = match engine.component(&rest).await {
        Ok(found) => found,
        // A reference may be written in its short form.
        Err(e) => match reference(&rest, None) {
            Ok(reference) => engine.component(&reference.familiar()).await?,
            Err(_) => return Err(e.into()),
        },
    };
    Ok(Json(show::plugin::component(found)).into_response())
}

/// `…/push`: sends one to a registry, by its digest or the name of the plugin that is made of it.
pub(super) async fn post(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(rest): Path<String>,
    params: Params,
    offered: Offered,
) -> Answer {
    let Some(what) = rest.strip_suffix("/push") else { return Err(ApiError::no_such_page()) };
    let reference = asked(&params)?;
    let credential = offered.for_server(reference.registry());
    progress::answer(engine.push_plugin(&caller, what, &reference, credential).await?).await
}

fn asked(params: &Params) -> Answer<davit_model::reference::Reference> {
    let text = params.get("reference").ok_or_else(|| ApiError::invalid("no reference was given"))?;
    reference(text, None)
}
