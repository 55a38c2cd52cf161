//! `davit tag`: one more name for an image.

use crate::{
    connect::{Call, segment},
    context::Context,
    error::{Exit, Result},
    reference,
};

/// Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_name = "SOURCE_IMAGE[:TAG]")]
    source: String,
    #[arg(value_name = "TARGET_IMAGE[:TAG]")]
    target: String,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    reference::check(&args.source)?;
    reference::check(&args.target)?;
    let (repository, tag) = reference::split(&args.target);
    let call = Call::post(format!("/images/{}/tag", segment(&args.source)));
    ctx.client.done(call.query("repo", repository).query_some("tag", tag)).await?;
    Ok(Exit::OK)
}
