//! `davit rename`: another name for a container.

use crate::{
    connect::{Call, segment},
    context::Context,
    error::{Exit, Result},
};

/// Rename a container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_name = "CONTAINER")]
    container: String,
    #[arg(value_name = "NEW_NAME")]
    name: String,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let call = Call::post(format!("/containers/{}/rename", segment(&args.container)));
    ctx.client.done(call.query("name", args.name)).await?;
    Ok(Exit::OK)
}
