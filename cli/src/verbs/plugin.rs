//! `davit plugin`: the plugins that stand behind the site's policy.

use crate::{
    answer::{items, text, texts},
    connect::{Call, segment},
    context::Context,
    error::{Exit, Result},
    listing::{Column, Listing},
    template::Template,
};
use serde_json::{Value, json};

/// Look at the site's plugins
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Plugin {
    Ls(ListArgs),
    Inspect(InspectArgs),
}

/// List plugins
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Format output: table, json, or a Go template
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Only display names
    #[arg(short = 'q', long)]
    quiet: bool,
}

/// Return all that is known about plugins
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// Format output: json, or a Go template
    #[arg(short = 'f', long, value_name = "FORMAT")]
    format: Option<String>,
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
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

pub(crate) async fn run(ctx: &Context, which: Plugin) -> Result<Exit> {
    match which {
        Plugin::Ls(args) => list(ctx, &args).await,
        Plugin::Inspect(args) => inspect(ctx, &args).await,
    }
}

async fn list(ctx: &Context, args: &ListArgs) -> Result<Exit> {
    let answer = ctx.client.value(Call::get("/davit/v1/plugins").unversioned()).await?;
    let row = |plugin: &Value| {
        let row = json!({
            "Name": text(plugin, "/Name"),
            "Version": text(plugin, "/Version"),
            "Kinds": texts(plugin, "/Kinds").join(","),
            "State": text(plugin, "/State"),
            "UsedAs": texts(plugin, "/UsedAs").join(", "),
            "Source": text(plugin, "/Source"),
            "Digest": text(plugin, "/Digest"),
        });
        row.as_object().cloned().unwrap_or_default()
    };
    let rows = items(&answer, "").iter().map(row).collect();
    Listing { table: TABLE, columns: COLUMNS, id: "Name", rows }.print(&ctx.out, args.format.as_deref(), args.quiet)?;
    Ok(Exit::OK)
}

async fn inspect(ctx: &Context, args: &InspectArgs) -> Result<Exit> {
    let template = match args.format.as_deref() {
        None | Some("json") => None,
        Some(format) => Some(Template::parse(format, true)?),
    };
    let mut found = Vec::new();
    for name in &args.names {
        found.push(ctx.client.value(Call::get(format!("/davit/v1/plugins/{}", segment(name))).unversioned()).await?);
    }
    match template {
        Some(template) => {
            for value in &found {
                ctx.out.line(&template.render(value)?)?;
            }
        }
        None => ctx.out.line(&serde_json::to_string_pretty(&Value::Array(found)).unwrap_or_default())?,
    }
    Ok(Exit::OK)
}
