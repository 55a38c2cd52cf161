//! `davit restart`: stop and start in one.

use super::{each::each, stop::Stopping};
use crate::{
    context::Context,
    error::{Exit, Result},
};

/// Restart one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    stopping: Stopping,
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    each(ctx, &args.containers, async |name| {
        ctx.client.done(args.stopping.call(name, "restart")).await?;
        Ok(Some(name.to_owned()))
    })
    .await
}
