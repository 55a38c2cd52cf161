//! `davit plugin grant` and `revoke`: what a plugin may do, right by right.

use super::{
    path,
    rights::{self, Given},
};
use crate::{
    answer::text,
    connect::Call,
    context::Context,
    error::{Exit, Result},
};
use davit_api_types::v1::Rights;
use serde_json::Value;

/// Grant rights to a plugin, or to the upgrade of it that waits
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    given: Given,
    #[arg(value_name = "PLUGIN")]
    name: String,
    /// Rights in words, as `davit plugin inspect` shows them: "http https://vault.example", state; none: all are asked
    #[arg(value_name = "RIGHT")]
    rights: Vec<String>,
}

/// Take rights from a plugin; it acts on the next call
#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    /// Take all that it has
    #[arg(long, conflicts_with = "rights", required_unless_present = "rights")]
    all: bool,
    #[arg(value_name = "PLUGIN")]
    name: String,
    #[arg(value_name = "RIGHT")]
    rights: Vec<String>,
}

pub(super) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let plugin = ctx.client.value(Call::get(path(&args.name, "")).unversioned()).await?;
    let rights = if args.rights.is_empty() {
        let (waits, known) = match plugin.pointer("/Held").filter(|held| !held.is_null()) {
            Some(held) => (held, rights::known_of(held)),
            None => (&plugin, rights::granted(&plugin)),
        };
        let asks = waits.pointer("/Asks").unwrap_or(&Value::Null);
        match args.given.of(ctx, asks, &known)? {
            Some(rights) => rights,
            None => return Ok(Exit(1)),
        }
    } else {
        Rights { rights: args.rights, ..Rights::default() }
    };
    done(ctx, &args.name, "grant", &rights).await
}

pub(super) async fn revoke(ctx: &Context, args: Revoke) -> Result<Exit> {
    done(ctx, &args.name, "revoke", &Rights { all: args.all, rights: args.rights, ..Rights::default() }).await
}

async fn done(ctx: &Context, name: &str, verb: &str, rights: &Rights) -> Result<Exit> {
    let after = ctx.client.value(Call::post(path(name, verb)).unversioned().json(rights)).await?;
    for right in rights::granted(&after) {
        ctx.out.line(right)?;
    }
    if !text(&after, "/Version").is_empty() && rights::granted(&after).is_empty() {
        ctx.out.note(&format!("{name} is granted nothing."));
    }
    Ok(Exit::OK)
}
