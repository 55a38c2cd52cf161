//! `davit plugin ls`.

use crate::{
    answer::{items, text, texts},
    connect::Call,
    context::Context,
    error::{Exit, Result},
    listing::{Column, Listing},
};
use serde_json::{Map, Value, json};

/// List plugins
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format output: table, json, or a Go template
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Only display names
    #[arg(short = 'q', long)]
    quiet: bool,
}

const COLUMNS: &[Column] = &[
    ("Name", "NAME"),
    ("Version", "VERSION"),
    ("Kinds", "KINDS"),
    ("State", "STATE"),
    ("UsedAs", "USED AS"),
    ("Source", "SOURCE"),
    ("Digest", "DIGEST"),
];
const TABLE: &[&str] = &["Name", "Version", "Kinds", "State", "UsedAs"];

pub(super) async fn run(ctx: &Context, args: &Args) -> Result<Exit> {
    let answer = ctx.client.value(Call::get("/davit/v1/plugins").unversioned()).await?;
    let rows = items(&answer, "").iter().map(row).collect();
    Listing { table: TABLE, columns: COLUMNS, id: "Name", rows }.print(&ctx.out, args.format.as_deref(), args.quiet)?;
    Ok(Exit::OK)
}

fn row(plugin: &Value) -> Map<String, Value> {
    let state = text(plugin, "/State");
    // What waits for the operator, or went wrong, stands beside the state, so that a list shows it.
    let more = match (plugin.pointer("/Held"), plugin.pointer("/Failure")) {
        (Some(held), _) if !held.is_null() => format!(" ({} waits for a grant)", text(held, "/Version")),
        (_, Some(failure)) if !failure.is_null() => format!(" ({} was rolled back)", text(failure, "/Version")),
        _ => String::new(),
    };
    let row = json!({
        "Name": text(plugin, "/Name"),
        "Version": text(plugin, "/Version"),
        "Kinds": texts(plugin, "/Kinds").join(","),
        "State": format!("{state}{more}"),
        "UsedAs": texts(plugin, "/UsedAs").join(", "),
        "Source": text(plugin, "/Source"),
        "Digest": text(plugin, "/Digest"),
    });
    row.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_the_operator_is_in_the_list() {
        let held = json!({"Name": "p", "State": "in use", "Held": {"Version": "2.0"}, "Failure": null});
        assert_eq!(row(&held)["State"], "in use (2.0 waits for a grant)");
        let failed = json!({"Name": "p", "State": "enabled", "Held": null, "Failure": {"Version": "2.0"}});
        assert_eq!(row(&failed)["State"], "enabled (2.0 was rolled back)");
        assert_eq!(row(&json!({"State": "disabled"}))["State"], "disabled");
    }
}
