//! `exec`: makes another process in a container, starts it with the connection taken over, sizes its terminal, tells
//! how it ended.

use super::{Answer, resize::size, to_the_end};
use crate::{
    extract::{Caller, JsonBody, Params},
    failure::ApiError,
    hijack::{Hijack, detach::DetachKeys, pump},
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::IntoResponse,
};
use davit_engine::{Engine, ExecDetails, ExecOptions};
use serde::Deserialize;
use serde_json::{Value, json};

/// What is to be run.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CreateBody {
    cmd: Option<Vec<String>>,
    user: Option<String>,
    privileged: Option<bool>,
    tty: Option<bool>,
    attach_stdin: Option<bool>,
    attach_stdout: Option<bool>,
    attach_stderr: Option<bool>,
    detach_keys: Option<String>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
}

pub(super) async fn create(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<CreateBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    let cmd = body.cmd.filter(|c| !c.is_empty()).ok_or_else(|| ApiError::invalid("No exec command specified"))?;
    let text = |t: Option<String>| t.filter(|t| !t.is_empty());
    let detach_keys = text(body.detach_keys);
    DetachKeys::parse(detach_keys.as_deref().unwrap_or(""))?;
    let options = ExecOptions {
        cmd,
        tty: body.tty.unwrap_or(false),
        stdin: body.attach_stdin.unwrap_or(false),
        stdout: body.attach_stdout.unwrap_or(false),
        stderr: body.attach_stderr.unwrap_or(false),
        env: body.env.unwrap_or_default(),
        cwd: text(body.working_dir),
        user: text(body.user),
        privileged: body.privileged.unwrap_or(false),
        detach_keys,
    };
    let made = to_the_end(async move { engine.exec_create(&caller, &id, options).await }).await?;
    Ok((StatusCode::CREATED, Json(json!({"Id": made}))))
}

/// How it is started.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct StartBody {
    detach: Option<bool>,
    console_size: Option<(u16, u16)>,
}

pub(super) async fn start(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    hijack: Hijack,
    JsonBody(body): JsonBody<StartBody>,
) -> Answer {
    let size = body.console_size.filter(|(rows, cols)| *rows != 0 && *cols != 0);
    if body.detach.unwrap_or(false) {
        to_the_end(async move { engine.exec_start(&id, false).await.map(drop) }).await?;
        return Ok(StatusCode::OK.into_response());
    }
    let details = engine.exec_inspect(&id).await?;
    if details.running || details.exit_code.is_some() {
        return Err(ApiError::new(StatusCode::CONFLICT, format!("exec {id} has been started already")));
    }
    let options = details.options;
    let keys = DetachKeys::parse(options.detach_keys.as_deref().unwrap_or(""))?;
    let tty = options.tty;
    // Started behind the answer, as clients expect: a command that cannot be run is told in its stream, and its exit
    // status is asked for afterwards.
    Ok(hijack.accept(tty, move |mut wire, gone| async move {
        match to_the_end({
            let (engine, id) = (engine.clone(), id.clone());
            async move { engine.exec_start(&id, true).await }
        })
        .await
        {
            Ok(Some(attached)) => {
                if let Some((rows, cols)) = size
                    && let Err(e) = engine.exec_resize(&id, rows, cols).await
                {
                    tracing::debug!("the size of a terminal: {e}");
                }
                pump::run(wire, attached, tty.then_some(keys), gone).await;
            }
            // Asked to attach, the engine gives streams or an error.
            Ok(None) => {}
            Err(e) => pump::refuse(&mut wire, tty, &e.to_string()).await,
        }
    }))
}

pub(super) async fn resize(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Answer<StatusCode> {
    let (rows, cols) = size(&params)?;
    engine.exec_resize(&id, rows, cols).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn inspect(State(engine): State<Engine>, Path(id): Path<String>) -> Answer<Json<Value>> {
    Ok(Json(shown(&engine.exec_inspect(&id).await?)))
}

fn shown(details: &ExecDetails) -> Value {
    let options = &details.options;
    let (program, arguments) = match options.cmd.split_first() {
        Some((program, arguments)) => (program.as_str(), arguments),
        None => ("", &[][..]),
    };
    json!({
        "ID": details.id,
        "Running": details.running,
        "ExitCode": details.exit_code,
        "ProcessConfig": {
            "tty": options.tty, "entrypoint": program, "arguments": arguments, "privileged": options.privileged,
            "user": options.user.as_deref().unwrap_or(""),
        },
        "OpenStdin": options.stdin,
        "OpenStderr": options.stderr,
        "OpenStdout": options.stdout,
        "CanRemove": false,
        "ContainerID": details.container,
        "DetachKeys": options.detach_keys.as_deref().unwrap_or(""),
        "Pid": details.pid,
    })
}
