//! `davit rm`: containers, and on request their anonymous volumes.

use super::each::each;
use crate::{
    connect::{Call, segment},
    context::Context,
    error::{Exit, Result},
};

/// Remove one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Force the removal of a running container (uses SIGKILL)
    #[arg(short = 'f', long)]
    force: bool,
    /// Remove anonymous volumes associated with the container
    #[arg(short = 'v', long)]
    volumes: bool,
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    each(ctx, &args.containers, async |name| {
        let call = Call::delete(format!("/containers/{}", segment(name)));
        match ctx.client.done(call.switch("force", args.force).switch("v", args.volumes)).await {
            // Forced, what is gone already is as it was asked for; it is told all the same.
            Err(error) if args.force && error.status() == Some(404) => {
                ctx.out.failure(&error);
                Ok(None)
            }
            Err(error) => Err(error),
            Ok(_) => Ok(Some(name.to_owned())),
        }
    })
    .await
}
