//! `create`.

use super::{Answer, to_the_end};
use crate::{
    create::{Asked, parse_port, to_spec},
    extract::{Caller, JsonBody, Params},
};
use axum::{Json, extract::State, http::StatusCode};
use davit_engine::Engine;
use davit_model::network::PortRequest;
use serde_json::{Value, json};

pub(super) async fn create(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    params: Params,
    JsonBody(body): JsonBody<Value>,
) -> Answer<(StatusCode, Json<Value>)> {
    let mut asked = to_spec(body)?;
    if asked.publish_all {
        publish_all(&engine, &mut asked).await?;
    }
    let name = params.get("name").map(str::to_owned);
    let platform = params.get("platform").map(str::to_owned);
    let spec = asked.spec;
    let made = async move { engine.create(&caller, name.as_deref(), spec, platform.as_deref()).await };
    let created = to_the_end(made).await?;
    let mut warnings = asked.warnings;
    warnings.extend(created.warnings);
    Ok((StatusCode::CREATED, Json(json!({"Id": created.id.as_str(), "Warnings": warnings}))))
}

/// Asks for a port of the engine's choice for everything that the image or the request exposes.
async fn publish_all(engine: &Engine, asked: &mut Asked) -> Answer<()> {
    let image = engine.image_inspect(&asked.spec.image).await?;
    let of_image = image.config.pointer("/config/ExposedPorts").and_then(Value::as_object);
    let mut keys: Vec<String> = of_image.into_iter().flat_map(|ports| ports.keys().cloned()).collect();
    keys.extend(asked.spec.exposed_ports.iter().cloned());
    for key in keys {
        let (inside, protocol) = parse_port(&key)?;
        if !asked.spec.ports.iter().any(|p| p.inside == inside && p.protocol == protocol) {
            asked.spec.ports.push(PortRequest { protocol, inside, outside: None, address: None });
        }
    }
    Ok(())
}
