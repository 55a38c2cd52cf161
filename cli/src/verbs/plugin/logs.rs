//! `davit plugin logs`.

use super::path;
use crate::{
    answer::text,
    connect::Call,
    context::Context,
    error::{Error, Exit, Result},
    plain,
};
use serde_json::Value;

/// Fetch what a plugin logged since the daemon started
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Follow log output
    #[arg(short = 'f', long)]
    follow: bool,
    /// Number of lines to show from the end of the log
    #[arg(short = 'n', long, value_name = "NUMBER")]
    tail: Option<u32>,
    #[arg(value_name = "PLUGIN")]
    name: String,
}

pub(super) async fn run(ctx: &Context, args: &Args) -> Result<Exit> {
    let call = Call::get(path(&args.name, "logs")).unversioned();
    let call = call.switch("follow", args.follow).query_some("tail", args.tail);
    let print = |line: &[u8]| {
        let line: Value = serde_json::from_slice(line)
            .map_err(|e| Error::Answer { request: "logs".to_owned(), reason: e.to_string() })?;
        let level = text(&line, "/Level").to_uppercase();
        ctx.out.line(&format!("{} {level:<5} {}", text(&line, "/Time"), plain::lines(text(&line, "/Text"))))
    };
    ctx.client.lines(call, print).await?;
    Ok(Exit::OK)
}
