//! `davit pause` and `davit unpause`: all processes of a container stop where they are, and go on.

use super::each::each;
use crate::{
    connect::{Call, segment},
    context::Context,
    error::{Exit, Result},
};

/// Pause all processes within one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Unpause all processes within one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct UnpauseArgs {
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    ask(ctx, &args.containers, "pause").await
}

pub(crate) async fn unpause(ctx: &Context, args: UnpauseArgs) -> Result<Exit> {
    ask(ctx, &args.containers, "unpause").await
}

async fn ask(ctx: &Context, containers: &[String], what: &str) -> Result<Exit> {
    each(ctx, containers, async |name| {
        ctx.client.done(Call::post(format!("/containers/{}/{what}", segment(name)))).await?;
        Ok(Some(name.to_owned()))
    })
    .await
}
