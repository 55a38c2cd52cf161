//! `davit logout`: a credential forgotten.

use crate::{
    context::Context,
    credentials,
    error::{Exit, Result},
    reference::HUB,
};

/// Log out from a registry
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_name = "REGISTRY")]
    registry: Option<String>,
}

pub(crate) fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let registry = args.registry.as_deref().unwrap_or(HUB);
    if credentials::forget(&ctx.home, registry)? {
        ctx.out.line(&format!("Removing login credentials for {registry}"))?;
    } else {
        ctx.out.line(&format!("Not logged in to {registry}"))?;
    }
    Ok(Exit::OK)
}
