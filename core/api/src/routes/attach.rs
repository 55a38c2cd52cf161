//! `attach`: takes the connection over.

use super::Answer;
use crate::{
    extract::Params,
    hijack::{Hijack, detach::DetachKeys, pump},
};
use axum::extract::{Path, State};
use davit_engine::{AttachOptions, Engine};

pub(super) async fn attach(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    params: Params,
    hijack: Hijack,
) -> Answer {
    let options = AttachOptions {
        stdin: params.flag("stdin"),
        stdout: params.flag("stdout"),
        stderr: params.flag("stderr"),
        stream: params.flag("stream"),
        logs: params.flag("logs"),
    };
    let keys = DetachKeys::parse(params.get("detachKeys").unwrap_or(""))?;
    let attached = engine.attach(&id, options).await?;
    let tty = attached.tty;
    let keys = tty.then_some(keys);
    Ok(hijack.accept(tty, move |wire, gone| pump::run(wire, attached, keys, gone)))
}
