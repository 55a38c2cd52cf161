//! Plugins of the site (`/davit/v1/plugins`): what stands behind its policy, and how that changes.

use super::{Answer, done, to_the_end};
use crate::{
    extract::{Caller, JsonBody, Params},
    failure::ApiError,
    show, stream,
};
use axum::{
    Json,
    extract::{Path, State},
};
use bytes::Bytes;
use davit_api_types::v1::{Install, LogLine as Line, Plugin, Rights, Upgrade};
use davit_engine::{
    Engine, EngineError,
    plugins::{Granting, InstallRequest, record::PluginRecord},
    policy::LogLine,
};
use davit_model::digest::Digest;
use std::{collections::VecDeque, future::Future};
use tokio::sync::broadcast::{Receiver, error::RecvError};

type Named = Path<String>;

pub(super) async fn list(State(engine): State<Engine>) -> Answer<Json<Vec<Plugin>>> {
    Ok(Json(engine.plugins().await?.into_iter().map(show::plugin::plugin).collect()))
}

pub(super) async fn inspect(State(engine): State<Engine>, Path(name): Named) -> Answer<Json<Plugin>> {
    Ok(Json(show::plugin::plugin(engine.plugin(&name).await?)))
}

pub(super) async fn install(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    JsonBody(body): JsonBody<Install>,
) -> Answer<Json<Plugin>> {
    let request = InstallRequest {
        component: component(&body.component)?,
        name: Some(body.name).filter(|name| !name.is_empty()),
        grant: granting(&engine, body.grant, &body.component)?,
        enabled: !body.disabled,
    };
    let on = engine.clone();
    changed(&engine, async move { on.install_plugin(&caller, request).await }).await
}

pub(super) async fn remove(State(engine): State<Engine>, Caller(caller): Caller, Path(name): Named) -> Answer {
    to_the_end(async move { engine.remove_plugin(&caller, &name).await }).await?;
    Ok(done())
}

pub(super) async fn upgrade(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(name): Named,
    JsonBody(body): JsonBody<Upgrade>,
) -> Answer<Json<Plugin>> {
    let component = component(&body.component)?;
    let grant = granting(&engine, body.grant.unwrap_or_default(), &body.component)?;
    let on = engine.clone();
    changed(&engine, async move { on.upgrade_plugin(&caller, &name, &component, grant).await }).await
}

pub(super) async fn rollback(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(name): Named,
) -> Answer<Json<Plugin>> {
    let on = engine.clone();
    changed(&engine, async move { on.rollback_plugin(&caller, &name).await }).await
}

pub(super) async fn grant(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(name): Named,
    JsonBody(body): JsonBody<Rights>,
) -> Answer<Json<Plugin>> {
    let grant = granting(&engine, body, &waiting(&engine, &name).await?)?;
    let on = engine.clone();
    changed(&engine, async move { on.grant_plugin(&caller, &name, grant).await }).await
}

pub(super) async fn revoke(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(name): Named,
    JsonBody(body): JsonBody<Rights>,
) -> Answer<Json<Plugin>> {
    let rights = match granting(&engine, body, &waiting(&engine, &name).await?)? {
        Granting::All => None,
        Granting::These(rights) => Some(rights),
        Granting::Carried => return Err(ApiError::invalid("no right to revoke was named")),
    };
    let on = engine.clone();
    changed(&engine, async move { on.revoke_plugin(&caller, &name, rights.as_ref()).await }).await
}

pub(super) async fn enable(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(name): Named,
) -> Answer<Json<Plugin>> {
    let on = engine.clone();
    changed(&engine, async move { on.enable_plugin(&caller, &name).await }).await
}

pub(super) async fn disable(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(name): Named,
) -> Answer<Json<Plugin>> {
    let on = engine.clone();
    changed(&engine, async move { on.disable_plugin(&caller, &name).await }).await
}

/// Runs a change to its end, and shows the plugin as it is then.
async fn changed(
    engine: &Engine,
    work: impl Future<Output = Result<PluginRecord, EngineError>> + Send + 'static,
) -> Answer<Json<Plugin>> {
    let record = to_the_end(work).await?;
    Ok(Json(show::plugin::plugin(engine.plugin(&record.name).await?)))
}

pub(super) fn component(text: &str) -> Answer<Digest> {
    text.parse().map_err(|e| ApiError::invalid(format!("invalid component {text:?}: {e}")))
}

/// Rights as a client writes them, for a component; none at all: nothing is said.
fn granting(engine: &Engine, rights: Rights, component: &str) -> Answer<Granting> {
    if rights.all {
        return Ok(Granting::All);
    }
    if rights.rights.is_empty() && rights.table.is_empty() {
        return Ok(Granting::Carried);
    }
    let (mut words, digest) = engine.read_grant(&rights.table)?;
    if let Some(digest) = digest.filter(|digest| digest != component) {
        return Err(ApiError::invalid(format!("the grant is for {digest}, the component is {component}")));
    }
    words.extend(rights.rights);
    Ok(Granting::These(words))
}

/// The component that a grant would go to: that of the version which waits for one, or of the one in force.
async fn waiting(engine: &Engine, name: &str) -> Answer<String> {
    let plugin = show::plugin::plugin(engine.plugin(name).await?);
    Ok(plugin.held.map_or(plugin.digest, |held| held.digest))
}

pub(super) async fn logs(State(engine): State<Engine>, Path(name): Named, params: Params) -> Answer {
    let (past, live) = engine.plugin_log(&name).await?;
    let tail = params.number::<usize>("tail")?.unwrap_or(past.len());
    let past: VecDeque<LogLine> = past.iter().skip(past.len().saturating_sub(tail)).cloned().collect();
    let live = params.flag("follow").then_some(live);
    Ok(stream::answer("application/json", (past, live), next))
}

async fn next((mut past, mut live): (VecDeque<LogLine>, Option<Receiver<LogLine>>)) -> Option<(Bytes, Following)> {
    let line = match (past.pop_front(), &mut live) {
        (Some(line), _) => line,
        (None, None) => return None,
        (None, Some(live)) => loop {
            match live.recv().await {
                Ok(line) => break line,
                // Who reads too slowly misses lines; the daemon's log has them.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        },
    };
    let shown = Line { time: line.at.to_string(), level: line.level.to_owned(), text: line.text };
    Some((stream::line(&shown), (past, live)))
}

type Following = (VecDeque<LogLine>, Option<Receiver<LogLine>>);
