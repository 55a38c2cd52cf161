//! `davit kill`: a signal to the first process of a container.

use super::each::each;
use crate::{
    connect::{Call, segment},
    context::Context,
    error::{Exit, Result},
};

/// Kill one or more running containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Signal to send to the container [default: KILL]
    #[arg(short = 's', long, value_name = "SIGNAL")]
    signal: Option<String>,
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    each(ctx, &args.containers, async |name| {
        let call = Call::post(format!("/containers/{}/kill", segment(name)));
        ctx.client.done(call.query_some("signal", args.signal.as_deref())).await?;
        Ok(Some(name.to_owned()))
    })
    .await
}
