//! `auth`: whether a registry takes a credential. Nothing is kept: the client keeps it, and sends it along.

use super::Answer;
use crate::{
    extract::{Caller, JsonBody, credential},
    failure::ApiError,
};
use axum::{Json, extract::State};
use davit_api_types::auth::RegistryAuth;
use davit_engine::Engine;
use davit_model::reference::DEFAULT_REGISTRY;
use serde_json::{Value, json};

pub(super) async fn login(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    JsonBody(body): JsonBody<RegistryAuth>,
) -> Answer<Json<Value>> {
    let auth = body.with_pair_unpacked().map_err(|e| ApiError::invalid(e.to_string()))?;
    let server = server(&auth.serveraddress);
    let offered = credential(auth, &server).ok_or_else(|| ApiError::invalid("no credential to check"))?;
    let status = engine.login(&caller, offered).await?;
    Ok(Json(json!({"Status": status, "IdentityToken": ""})))
}

/// `host[:port]` of what clients name; the hub's old address is the default registry.
fn server(address: &str) -> String {
    let bare = address.trim_start_matches("https://").trim_start_matches("http://");
    let host = bare.split('/').next().unwrap_or(bare);
    match host {
        "" | "index.docker.io" | "registry-1.docker.io" => DEFAULT_REGISTRY.to_owned(),
        host => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::server;

    #[test]
    fn addresses_of_all_ages_name_a_registry() {
        for (address, want) in [
            ("https://index.docker.io/v1/", "docker.io"),
            ("", "docker.io"),
            ("127.0.0.1:5000", "127.0.0.1:5000"),
            ("http://r.example/v2/", "r.example"),
        ] {
            assert_eq!(server(address), want);
        }
    }
}
