//! `davit logs`: what a container wrote.

use crate::{
    answer::flag,
    connect::{Call, segment},
    context::Context,
    error::{Error, Exit, Result},
    session::Output,
    since,
};
use http_body_util::BodyExt;

/// Fetch the logs of a container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Follow log output
    #[arg(short = 'f', long)]
    follow: bool,
    /// Show logs since a time (2026-11-24T11:25:38Z) or for a duration (42m)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Number of lines to show from the end of the logs
    #[arg(short = 'n', long, value_name = "NUMBER", default_value = "all")]
    tail: String,
    /// Show timestamps
    #[arg(short = 't', long)]
    timestamps: bool,
    /// Show logs before a time or for a duration
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Show extra details provided to logs
    #[arg(long)]
    details: bool,
    #[arg(value_name = "CONTAINER")]
    container: String,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    if args.tail != "all" && args.tail.parse::<i64>().is_err() {
        return Err(Error::usage(format!("invalid --tail: {:?}: a number or `all`", args.tail)));
    }
    let since = args.since.as_deref().map(since::moment).transpose()?;
    let until = args.until.as_deref().map(since::moment).transpose()?;
    let name = segment(&args.container);
    let found = ctx.client.value(Call::get(format!("/containers/{name}/json"))).await?;
    let call = Call::get(format!("/containers/{name}/logs"))
        .query("stdout", 1)
        .query("stderr", 1)
        .query("tail", args.tail)
        .switch("follow", args.follow)
        .switch("timestamps", args.timestamps)
        .switch("details", args.details)
        .query_some("since", since)
        .query_some("until", until);
    let mut body = ctx.client.send(call).await?.into_body();
    let mut output = Output::new(!flag(&found, "/Config/Tty"));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|source| Error::Http { request: "logs".to_owned(), source })?;
        if let Ok(data) = frame.into_data() {
            output.write(&data).await?;
        }
    }
    output.end().map(|()| Exit::OK)
}
