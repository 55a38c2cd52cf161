//! `davit reload`: the site's file, read again without a restart.

use crate::{
    answer::{text, texts},
    connect::Call,
    context::Context,
    error::{Exit, Result},
};

/// Read the site's file again; an invalid one is refused whole, and the old one stays
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(ctx: &Context, _args: Args) -> Result<Exit> {
    let answer = ctx.client.value(Call::post("/davit/v1/reload").unversioned()).await?;
    let changes = texts(&answer, "/Changes");
    for change in &changes {
        ctx.out.line(change)?;
    }
    if changes.is_empty() {
        ctx.out.line(&format!("{}: nothing changed", text(&answer, "/File")))?;
    }
    for warning in texts(&answer, "/Warnings") {
        ctx.out.warning(warning);
    }
    Ok(Exit::OK)
}
