//! `davit wait`: until containers end; prints their exit statuses.

use super::each::each;
use crate::{
    context::Context,
    error::{Exit, Result},
    joined,
};

/// Block until one or more containers stop, then print their exit codes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    each(ctx, &args.containers, async |name| {
        let Exit(code) = joined::status(joined::wait(&ctx.client, name, "not-running").await?).await?;
        Ok(Some(code.to_string()))
    })
    .await
}
