//! `davit plugin rm`.

use super::path;
use crate::{
    connect::Call,
    context::Context,
    error::{Exit, Result},
    verbs::each::each,
};

/// Remove plugins, with what they remember
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(required = true, value_name = "PLUGIN")]
    names: Vec<String>,
}

pub(super) async fn run(ctx: &Context, args: &Args) -> Result<Exit> {
    each(ctx, &args.names, async |name| {
        ctx.client.done(Call::delete(path(name, "")).unversioned()).await?;
        Ok(Some(name.to_owned()))
    })
    .await
}
