//! `davit plugin enable` and `disable`.

use super::path;
use crate::{
    connect::Call,
    context::Context,
    error::{Exit, Result},
    verbs::each::each,
};

/// Let the site's file use plugins
#[derive(Debug, clap::Args)]
pub(crate) struct Names {
    #[arg(required = true, value_name = "PLUGIN")]
    names: Vec<String>,
}

/// Keep the site's file from using plugins
#[derive(Debug, clap::Args)]
pub(crate) struct Off {
    #[command(flatten)]
    names: Names,
}

pub(super) async fn enable(ctx: &Context, args: &Names) -> Result<Exit> {
    switch(ctx, &args.names, "enable").await
}

pub(super) async fn disable(ctx: &Context, args: &Off) -> Result<Exit> {
    switch(ctx, &args.names.names, "disable").await
}

async fn switch(ctx: &Context, names: &[String], verb: &str) -> Result<Exit> {
    each(ctx, names, async |name| {
        ctx.client.done(Call::post(path(name, verb)).unversioned()).await?;
        Ok(Some(name.to_owned()))
    })
    .await
}
