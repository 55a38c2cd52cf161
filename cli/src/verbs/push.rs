//! `davit push`: an image to its registry.

use crate::{
    connect::{Call, segment},
    context::Context,
    credentials,
    error::{Exit, Result},
    reference,
    transfer::{Loudness, Transfer},
};
use davit_api_types::auth;

/// Upload an image to a registry
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Suppress verbose output
    #[arg(short = 'q', long)]
    quiet: bool,
    #[arg(value_name = "NAME[:TAG]")]
    image: String,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    reference::check(&args.image)?;
    let image = reference::with_tag(&args.image);
    if image != args.image && !args.quiet {
        ctx.out.line("Using default tag: latest")?;
    }
    let (name, tag) = reference::split(&image);
    let credential = credentials::find(&ctx.home, reference::registry(&image))?;
    let call = Call::post(format!("/images/{}/push", segment(name)))
        .query_some("tag", tag)
        .header(auth::HEADER, credential.encode());
    let mut transfer = Transfer::new(ctx.out, if args.quiet { Loudness::Quiet } else { Loudness::Result });
    ctx.client.lines(call, |line| transfer.take(line)).await?;
    if args.quiet {
        ctx.out.line(&image)?;
    }
    Ok(Exit::OK)
}
