//! `davit plugin push`: a plugin goes to a registry.

use super::bring;
use crate::{
    answer::text,
    connect::{Call, segment},
    context::Context,
    credentials,
    error::{Error, Exit, Result},
    reference,
    transfer::{Loudness, Transfer},
};
use davit_api_types::auth;
use std::path::Path;

/// Upload a plugin to a registry
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Suppress verbose output
    #[arg(short = 'q', long)]
    quiet: bool,
    /// An installed plugin, or a component's file
    #[arg(value_name = "PLUGIN|FILE")]
    what: String,
    #[arg(value_name = "NAME[:TAG]")]
    reference: String,
}

pub(super) async fn run(ctx: &Context, args: &Args) -> Result<Exit> {
    if let (name, Some(digest)) = reference::split(&args.reference)
        && args.reference.contains('@')
    {
        return Err(Error::usage(format!(
            "a plugin is pushed to a tag, and its digest follows: {digest} cannot be said beforehand; push to {name}:TAG"
        )));
    }
    let what = if args.what.contains(['/', '.']) || Path::new(&args.what).is_file() {
        text(&bring::component(ctx, &args.what).await?, "/Digest").to_owned()
    } else {
        args.what.clone()
    };
    let name = reference::with_tag(&args.reference);
    let credential = credentials::find(&ctx.home, reference::registry(&name))?;
    let call = Call::post(format!("/davit/v1/components/{}/push", segment(&what)))
        .unversioned()
        .query("reference", &name)
        .header(auth::HEADER, credential.encode());
    let mut transfer = Transfer::new(ctx.out, if args.quiet { Loudness::Quiet } else { Loudness::Result });
    ctx.client.lines(call, |line| transfer.take(line)).await?;
    if args.quiet {
        ctx.out.line(&name)?;
    }
    Ok(Exit::OK)
}
