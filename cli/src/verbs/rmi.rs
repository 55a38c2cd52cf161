//! `davit rmi`: names of images, and with the last name the image.

use crate::{
    answer::{items, text},
    connect::{Call, segment},
    context::Context,
    error::{Exit, Result},
    reference,
};

/// Remove one or more images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Force removal of the image
    #[arg(short = 'f', long)]
    force: bool,
    /// Do not delete untagged parents
    #[arg(long)]
    no_prune: bool,
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let mut exit = Exit::OK;
    for image in &args.images {
        let call = Call::delete(format!("/images/{}", segment(image)));
        let call = call.switch("force", args.force).switch("noprune", args.no_prune);
        let removed = match reference::check(image) {
            Ok(()) => ctx.client.value(call).await,
            Err(error) => Err(error),
        };
        match removed {
            Ok(answer) => {
                for done in items(&answer, "") {
                    match (text(done, "/Untagged"), text(done, "/Deleted")) {
                        ("", deleted) => ctx.out.line(&format!("Deleted: {deleted}"))?,
                        (untagged, _) => ctx.out.line(&format!("Untagged: {untagged}"))?,
                    }
                }
            }
            Err(error) => {
                ctx.out.failure(&error);
                let fine = args.force && error.status() == Some(404);
                exit = if fine { exit } else { Exit(1) };
            }
        }
    }
    Ok(exit)
}
