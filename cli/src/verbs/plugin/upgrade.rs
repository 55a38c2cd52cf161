//! `davit plugin upgrade` and `rollback`: another version in a plugin's place, and the one before again.

use super::{
    bring, path,
    rights::{self, Given},
};
use crate::{
    answer::text,
    connect::Call,
    context::Context,
    error::{Exit, Result},
    plain,
};
use davit_api_types::v1::Upgrade;
use serde_json::Value;

/// Upgrade a plugin: what asks for no more goes through, what asks for more is held until it is granted
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    given: Given,
    #[arg(value_name = "PLUGIN")]
    name: String,
    /// The new version [default: where the present one came from]
    #[arg(value_name = "FILE|NAME[:TAG|@DIGEST]")]
    component: Option<String>,
}

/// Go back to the version before, and to what it remembered
#[derive(Debug, clap::Args)]
pub(crate) struct Back {
    #[arg(value_name = "PLUGIN")]
    name: String,
}

pub(super) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    let before = ctx.client.value(Call::get(path(&args.name, "")).unversioned()).await?;
    let source = args.component.unwrap_or_else(|| text(&before, "/Source").to_owned());
    let component = bring::component(ctx, &source).await?;
    if text(&component, "/Digest") == text(&before, "/Digest") {
        ctx.out.note(&format!("{} is at this version: {}", args.name, plain::line(text(&before, "/Version"))));
        return Ok(Exit::OK);
    }
    ctx.out.note(&format!("{} -> {}", plain::line(text(&before, "/Version")), bring::shown(&component)));
    let null = Value::Null;
    let asks = |value| Value::pointer(value, "/Asks").unwrap_or(&null);
    let difference = rights::difference(asks(&before), asks(&component));
    if !difference.is_empty() {
        ctx.out.note(&format!("It asks for other rights than before:\n{}", difference.join("\n")));
    }
    // What was granted goes on; what asks for more is held, and the daemon knows which does. A grant brings that into force.
    let upgrade = Upgrade { component: text(&component, "/Digest").to_owned(), grant: None };
    let mut after = ctx.client.value(Call::post(path(&args.name, "upgrade")).unversioned().json(&upgrade)).await?;
    if let Some(waits) = held(&after)
        && !args.given.is_nothing()
        && let Some(rights) = args.given.of(ctx, asks(waits), &rights::known_of(waits))?
    {
        after = ctx.client.value(Call::post(path(&args.name, "grant")).unversioned().json(&rights)).await?;
    }
    if let Some(held) = held(&after) {
        ctx.out.note(&format!(
            "{} {} is held until it is granted what more it asks for: davit plugin grant {}",
            args.name,
            plain::line(text(held, "/Version")),
            args.name
        ));
        return Ok(Exit(1));
    }
    ctx.out.line(&format!("{} {}", args.name, text(&after, "/Version")))?;
    Ok(Exit::OK)
}

/// The version that waits for its grant.
fn held(plugin: &Value) -> Option<&Value> {
    plugin.pointer("/Held").filter(|held| !held.is_null())
}

pub(super) async fn back(ctx: &Context, args: &Back) -> Result<Exit> {
    let after = ctx.client.value(Call::post(path(&args.name, "rollback")).unversioned()).await?;
    ctx.out.line(&format!("{} {}", args.name, text(&after, "/Version")))?;
    Ok(Exit::OK)
}
