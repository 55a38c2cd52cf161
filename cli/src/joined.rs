//! A container that exists, about to be joined to our terminal: attach, wait, start, streams, end.
//!
//! Attach and wait come before start, so that neither the first byte nor a quick end is missed.

use crate::{
    answer::{number, text},
    connect::{Call, Client, segment},
    context::Context,
    detach_keys::DetachKeys,
    error::{Error, Exit, Result},
    session::{Ended, Session},
    signals::{self, Proxy},
    terminal::{self, Raw},
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::time::Duration;

/// How long the daemon may take to begin a wait, and to remove a container that did not start.
const SOON: Duration = Duration::from_secs(60);

/// A container and which of its streams are joined to ours.
pub(crate) struct Joined<'a> {
    pub(crate) id: &'a str,
    pub(crate) tty: bool,
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    /// What is waited for: `next-exit`, `removed` or `not-running`.
    pub(crate) condition: &'a str,
    pub(crate) sig_proxy: bool,
    pub(crate) keys: DetachKeys,
}

impl Joined<'_> {
    /// Attaches, waits, does `begin`, joins the streams to their end, and ends as the container ended.
    pub(crate) async fn run(self, ctx: &Context, begin: impl AsyncFnOnce() -> Result<()>) -> Result<Exit> {
        if self.tty && self.stdin && !terminal::on_stdin() {
            return Err(Error::usage("the input device is not a TTY: leave out -t, or run it in a terminal"));
        }
        let proxy = if self.sig_proxy { Some(Proxy::new()?) } else { None };
        let attached = ctx.client.hijack(self.attach()).await?;
        let wait = wait(&ctx.client, self.id, self.condition).await?;
        if let Err(error) = begin().await {
            if self.condition == "removed" {
                // The daemon removes it; its name is free when the wait ends. The error to tell is the first one.
                let _ = tokio::time::timeout(SOON, status(wait)).await;
            }
            return Err(Error::NotStarted(Box::new(error)));
        }

        let raw = if self.tty && self.stdin { Raw::enter()? } else { None };
        let session = Session { tty: self.tty, stdin: self.stdin, detach_keys: raw.is_some().then_some(self.keys) };
        let to_the_end = async {
            match session.join(attached).await? {
                Ended::Detached => Ok(Exit::OK),
                Ended::Output => status(wait).await,
            }
        };
        let passing = async {
            match proxy {
                Some(proxy) => proxy.pass_on(&ctx.client, self.id).await,
                None => std::future::pending().await,
            }
        };
        let sizing = async {
            if self.tty {
                signals::follow_size(&ctx.client, format!("/containers/{}/resize", segment(self.id))).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = to_the_end => ended,
            () = passing => {
                drop(raw);
                ctx.out.note("davit: got 3 SIGTERM/SIGINTs, leaving the container behind");
                Ok(Exit(1))
            }
            () = sizing => Ok(Exit(1)),
        }
    }

    fn attach(&self) -> Call {
        Call::post(format!("/containers/{}/attach", segment(self.id)))
            .query("stream", 1)
            .query("stdin", u8::from(self.stdin))
            .query("stdout", u8::from(self.stdout))
            .query("stderr", u8::from(self.stderr))
    }
}

/// Begins to wait: when this returns, the daemon watches.
pub(crate) async fn wait(client: &Client, id: &str, condition: &str) -> Result<Incoming> {
    let call = Call::post(format!("/containers/{}/wait", segment(id))).query("condition", condition).patience(SOON);
    Ok(client.send(call).await?.into_body())
}

/// The status that a wait ends with. There is no deadline: a container may run for years.
pub(crate) async fn status(wait: Incoming) -> Result<Exit> {
    let broken = |reason: String| Error::Answer { request: "wait".to_owned(), reason };
    let answer = wait.collect().await.map_err(|e| broken(format!("the daemon has gone: {e}")))?.to_bytes();
    let answer: serde_json::Value = serde_json::from_slice(&answer).map_err(|e| broken(e.to_string()))?;
    match text(&answer, "/Error/Message") {
        "" => Ok(Exit(u8::try_from(number(&answer, "/StatusCode") & 0xff).unwrap_or(125))),
        message => Err(Error::Failed(message.to_owned())),
    }
}
