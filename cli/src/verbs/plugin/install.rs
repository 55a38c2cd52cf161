//! `davit plugin install`: a component becomes one of the site's plugins, with what the operator grants.

use super::{bring, rights::Given};
use crate::{
    answer::{flag, text, texts},
    connect::Call,
    context::Context,
    error::{Exit, Result},
};
use davit_api_types::v1::Install;
use serde_json::Value;
use std::collections::BTreeSet;

/// Install a plugin from a file or a registry
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plugin's name in the site's file [default: that of its manifest]
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    /// Do not let the site's file use it yet
    #[arg(long)]
    disable: bool,
    #[command(flatten)]
    given: Given,
    #[arg(value_name = "FILE|NAME[:TAG|@DIGEST]")]
    component: String,
}

pub(super) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let component = bring::component(ctx, &args.component).await?;
    ctx.out.note(&bring::shown(&component));
    let asks = component.pointer("/Asks").unwrap_or(&Value::Null);
    let Some(grant) = args.given.of(ctx, asks, &BTreeSet::new())? else {
        ctx.out.note("Nothing was installed.");
        return Ok(Exit(1));
    };
    let install = Install {
        component: text(&component, "/Digest").to_owned(),
        name: args.alias.unwrap_or_default(),
        grant,
        disabled: args.disable,
    };
    let plugin = ctx.client.value(Call::post("/davit/v1/plugins").unversioned().json(&install)).await?;
    if !flag(&plugin, "/Disabled") && texts(&plugin, "/UsedAs").is_empty() {
        ctx.out.note("The site's file does not use it yet: name it there, then run davit reload.");
    }
    ctx.out.line(text(&plugin, "/Name"))?;
    Ok(Exit::OK)
}
