//! Every route of the API and the handler behind it. A verb has the same file name here, in the engine and in the CLI.

mod attach;
mod build;
mod components;
mod create;
mod df;
mod events;
mod exec;
mod images;
mod info;
mod inspect;
mod kill;
mod list;
mod login;
mod logs;
mod networks;
mod pause;
mod ping;
mod plugins;
mod progress;
mod prune;
mod pull;
mod push;
mod reload;
mod remove;
mod rename;
mod resize;
mod restart;
mod start;
mod stats;
mod stop;
mod top;
mod update;
mod volumes;
mod wait;

use crate::failure::ApiError;
use axum::{
    Router,
    http::StatusCode,
    response::IntoResponse,
    routing::{any, delete, get, post},
};
use davit_engine::{Engine, EngineError};
use std::future::Future;

/// What a handler answers.
type Answer<T = axum::response::Response> = Result<T, ApiError>;

/// All routes, without a version prefix.
pub fn router(engine: Engine) -> Router {
    Router::new()
        .merge(system())
        .merge(plugins())
        .merge(containers())
        .merge(images())
        .merge(networks_and_volumes())
        .merge(later())
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere)
        .with_state(engine)
}

fn system() -> Router<Engine> {
    Router::new()
        .route("/_ping", get(ping::ping).head(ping::ping))
        .route("/version", get(info::version))
        .route("/info", get(info::info))
        .route("/events", get(events::events))
        .route("/system/df", get(df::df))
        .route("/auth", post(login::login))
        .route("/davit/v1/reload", post(reload::reload))
}

fn plugins() -> Router<Engine> {
    Router::new()
        .route("/davit/v1/plugins", get(plugins::list).post(plugins::install))
        .route("/davit/v1/plugins/{name}", get(plugins::inspect).delete(plugins::remove))
        .route("/davit/v1/plugins/{name}/upgrade", post(plugins::upgrade))
        .route("/davit/v1/plugins/{name}/rollback", post(plugins::rollback))
        .route("/davit/v1/plugins/{name}/grant", post(plugins::grant))
        .route("/davit/v1/plugins/{name}/revoke", post(plugins::revoke))
        .route("/davit/v1/plugins/{name}/enable", post(plugins::enable))
        .route("/davit/v1/plugins/{name}/disable", post(plugins::disable))
        .route("/davit/v1/plugins/{name}/logs", get(plugins::logs))
        .route("/davit/v1/components", post(components::bring))
        .route("/davit/v1/components/pull", post(components::pull))
        .route("/davit/v1/components/{*rest}", get(components::get).post(components::post))
}

fn containers() -> Router<Engine> {
    Router::new()
        .route("/containers/json", get(list::list))
        .route("/containers/create", post(create::create))
        .route("/containers/prune", post(prune::containers))
        .route("/containers/{id}", delete(remove::remove))
        .route("/containers/{id}/json", get(inspect::inspect))
        .route("/containers/{id}/start", post(start::start))
        .route("/containers/{id}/stop", post(stop::stop))
        .route("/containers/{id}/restart", post(restart::restart))
        .route("/containers/{id}/kill", post(kill::kill))
        .route("/containers/{id}/wait", post(wait::wait))
        .route("/containers/{id}/attach", post(attach::attach))
        .route("/containers/{id}/resize", post(resize::resize))
        .route("/containers/{id}/rename", post(rename::rename))
        .route("/containers/{id}/pause", post(pause::pause))
        .route("/containers/{id}/unpause", post(pause::unpause))
        .route("/containers/{id}/update", post(update::update))
        .route("/containers/{id}/stats", get(stats::stats))
        .route("/containers/{id}/top", get(top::top))
        .route("/containers/{id}/logs", get(logs::logs))
        .route("/containers/{id}/exec", post(exec::create))
        .route("/exec/{id}/start", post(exec::start))
        .route("/exec/{id}/resize", post(exec::resize))
        .route("/exec/{id}/json", get(exec::inspect))
}

fn images() -> Router<Engine> {
    Router::new()
        .route("/images/json", get(images::list))
        .route("/images/create", post(pull::pull))
        .route("/images/prune", post(prune::images))
        .route("/build", post(build::build))
        // Names hold slashes, so the verb is at the end of the rest.
        .route("/images/{*rest}", get(images::get).post(images::post).delete(images::remove))
}

fn networks_and_volumes() -> Router<Engine> {
    Router::new()
        .route("/networks", get(networks::list))
        .route("/networks/{id}", get(networks::inspect).delete(networks::not_yet))
        .route("/networks/create", post(networks::not_yet))
        .route("/networks/prune", post(networks::not_yet))
        .route("/networks/{id}/connect", post(networks::not_yet))
        .route("/networks/{id}/disconnect", post(networks::not_yet))
        .route("/volumes", get(volumes::list))
        .route("/volumes/create", post(volumes::create))
        .route("/volumes/prune", post(prune::volumes))
        .route("/volumes/{name}", get(volumes::inspect).delete(volumes::remove))
}

/// Parts of the Docker Engine API that are not there yet: a client is told so, instead of "page not found".
fn later() -> Router<Engine> {
    const PATHS: [&str; 12] = [
        "/containers/{id}/archive",
        "/containers/{id}/attach/ws",
        "/containers/{id}/changes",
        "/containers/{id}/export",
        "/build/prune",
        "/commit",
        "/distribution/{*name}",
        "/grpc",
        "/session",
        "/plugins",
        "/swarm",
        "/images/search",
    ];
    PATHS.into_iter().fold(Router::new(), |router, path| router.route(path, any(not_yet)))
}

async fn not_yet(uri: axum::http::Uri) -> ApiError {
    ApiError::not_implemented(uri.path())
}

async fn nowhere() -> ApiError {
    ApiError::no_such_page()
}

/// Runs what changes state to its end, even where the client leaves meanwhile.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::spawn(work).await {
        Ok(done) => done.map_err(ApiError::from),
        Err(e) => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the engine failed: {e}"))),
    }
}

/// An answer that says nothing but "done".
fn done() -> axum::response::Response {
    StatusCode::NO_CONTENT.into_response()
}
