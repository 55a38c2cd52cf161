//! `davit plugin stats`: how plugins' calls went since the daemon started.

use super::path;
use crate::{
    answer::{items, number, text},
    connect::Call,
    context::Context,
    error::{Exit, Result},
    listing::{Column, Listing},
};
use serde_json::{Map, Value, json};

/// Show how the calls of plugins went since the daemon started
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format output: table, json, or a Go template
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    #[arg(value_name = "PLUGIN")]
    names: Vec<String>,
}

const COLUMNS: &[Column] = &[
    ("Name", "NAME"),
    ("Calls", "CALLS"),
    ("Refused", "REFUSED"),
    ("Failed", "FAILED"),
    ("Mean", "MEAN"),
    ("Longest", "LONGEST"),
];
const TABLE: &[&str] = &["Name", "Calls", "Refused", "Failed", "Mean", "Longest"];

pub(super) async fn run(ctx: &Context, args: &Args) -> Result<Exit> {
    let mut found = Vec::new();
    if args.names.is_empty() {
        let all = ctx.client.value(Call::get("/davit/v1/plugins").unversioned()).await?;
        found.extend(items(&all, "").iter().cloned());
    }
    for name in &args.names {
        found.push(ctx.client.value(Call::get(path(name, "")).unversioned()).await?);
    }
    let rows = found.iter().map(row).collect();
    Listing { table: TABLE, columns: COLUMNS, id: "Name", rows }.print(&ctx.out, args.format.as_deref(), false)?;
    Ok(Exit::OK)
}

fn row(plugin: &Value) -> Map<String, Value> {
    let of = |what: &str| number(plugin, &format!("/Calls/{what}"));
    let (refused, failed) = (of("Refused"), of("Failed"));
    let calls = of("Answered") + refused + failed;
    let time = |us: i64| if us < 10_000 { format!("{us}µs") } else { format!("{}ms", us / 1000) };
    let row = json!({
        "Name": text(plugin, "/Name"),
        "Calls": calls.to_string(),
        "Refused": refused.to_string(),
        "Failed": failed.to_string(),
        "Mean": if calls == 0 { String::new() } else { time(of("TotalUs") / calls) },
        "Longest": if calls == 0 { String::new() } else { time(of("LongestUs")) },
    });
    row.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_of_all_calls() {
        let calls = json!({"Answered": 3, "Refused": 1, "Failed": 0, "TotalUs": 800, "LongestUs": 12_000});
        let row = row(&json!({"Name": "p", "Calls": calls}));
        assert_eq!((&row["Calls"], &row["Mean"], &row["Longest"]), (&json!("4"), &json!("200µs"), &json!("12ms")));
        assert_eq!(super::row(&json!({"Name": "q"}))["Mean"], "");
    }
}
