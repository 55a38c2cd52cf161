//! `davit pull`: an image from its registry.

use crate::{
    connect::Call,
    context::Context,
    credentials,
    error::{Exit, Result},
    reference,
    transfer::{Loudness, Transfer},
};
use davit_api_types::auth;

/// Download an image from a registry
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Platform of the image
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Suppress verbose output
    #[arg(short = 'q', long)]
    quiet: bool,
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    image: String,
}

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    reference::check(&args.image)?;
    let image = reference::with_tag(&args.image);
    if image != args.image && !args.quiet {
        ctx.out.line("Using default tag: latest")?;
    }
    let loudness = if args.quiet { Loudness::Quiet } else { Loudness::Result };
    pull(ctx, &image, args.platform.as_deref(), loudness).await?;
    ctx.out.line(&full_name(&image))?;
    Ok(Exit::OK)
}

/// Pulls `image`, which has a tag or a digest, with the credential that the user has for its registry.
pub(super) async fn pull(ctx: &Context, image: &str, platform: Option<&str>, loudness: Loudness) -> Result<()> {
    let (name, tag) = reference::split(image);
    let credential = credentials::find(&ctx.home, reference::registry(image))?;
    let call = Call::post("/images/create")
        .query("fromImage", name)
        .query_some("tag", tag)
        .query_some("platform", platform)
        .header(auth::HEADER, credential.encode());
    let mut transfer = Transfer::new(ctx.out, loudness);
    ctx.client.lines(call, |line| transfer.take(line)).await
}

/// The reference in full, as Docker ends a pull: `docker.io/library/busybox:latest`.
fn full_name(image: &str) -> String {
    if reference::registry(image) != reference::HUB {
        return image.to_owned();
    }
    let short = image.trim_start_matches("docker.io/");
    if short.contains('/') { format!("docker.io/{short}") } else { format!("docker.io/library/{short}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_shown_in_full() {
        assert_eq!(full_name("busybox:1"), "docker.io/library/busybox:1");
        assert_eq!(full_name("docker.io/me/x:1"), "docker.io/me/x:1");
        assert_eq!(full_name("127.0.0.1:5000/x:1"), "127.0.0.1:5000/x:1");
    }
}
