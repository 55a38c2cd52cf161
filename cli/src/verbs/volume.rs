//! `davit volume`: what outlives containers.

use super::{each::each, filters::filters, inspect, prune, ps::pairs};
use crate::{
    answer::{items, text},
    connect::{Call, segment},
    context::Context,
    error::{Error, Exit, Result},
    listing::{Column, Listing},
};
use clap::Subcommand;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Manage volumes
#[derive(Debug, Subcommand)]
pub(crate) enum Volume {
    /// Create a volume
    Create(Create),
    /// Display detailed information on one or more volumes
    Inspect(Names),
    /// List volumes
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Remove unused volumes
    Prune(prune::VolumeArgs),
    /// Remove one or more volumes
    #[command(visible_alias = "remove")]
    Rm(Rm),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// Set metadata for a volume
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// The name; none: one of the daemon's choice
    #[arg(value_name = "VOLUME")]
    name: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Names {
    /// Format output: json, or a Go template
    #[arg(short = 'f', long, value_name = "FORMAT")]
    format: Option<String>,
    #[arg(required = true, value_name = "VOLUME")]
    names: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Ls {
    /// Provide filter values: dangling=BOOL, name=PART, label=KEY[=VALUE]
    #[arg(short = 'f', long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Format output: table, json, or a Go template
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Only display volume names
    #[arg(short = 'q', long)]
    quiet: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Rm {
    /// Do not complain where there is none
    #[arg(short = 'f', long)]
    force: bool,
    #[arg(required = true, value_name = "VOLUME")]
    names: Vec<String>,
}

const COLUMNS: &[Column] = &[
    ("Driver", "DRIVER"),
    ("Name", "VOLUME NAME"),
    ("Scope", "SCOPE"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Labels", "LABELS"),
];

pub(crate) async fn run(ctx: &Context, which: Volume) -> Result<Exit> {
    match which {
        Volume::Create(args) => create(ctx, args).await,
        Volume::Inspect(args) => {
            let look_up = async |name: &str| ctx.client.value(Call::get(format!("/volumes/{}", segment(name)))).await;
            inspect::show(ctx, &args.names, args.format.as_deref(), look_up).await
        }
        Volume::Ls(args) => ls(ctx, args).await,
        Volume::Prune(args) => prune::volumes(ctx, args).await,
        Volume::Rm(args) => {
            each(ctx, &args.names, async |name| {
                let call = Call::delete(format!("/volumes/{}", segment(name)));
                ctx.client.done(call.switch("force", args.force)).await?;
                Ok(Some(name.to_owned()))
            })
            .await
        }
    }
}

async fn create(ctx: &Context, args: Create) -> Result<Exit> {
    let label = |l: &String| match l.split_once('=') {
        Some(("", _)) => Err(Error::flag(format!("invalid label: {l:?}: the name is empty"))),
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None if l.is_empty() => Err(Error::flag(format!("invalid label: {l:?}: the name is empty"))),
        None => Ok((l.clone(), String::new())),
    };
    let labels: BTreeMap<String, String> = args.label.iter().map(label).collect::<Result<_>>()?;
    let body = json!({"Name": args.name.unwrap_or_default(), "Labels": labels});
    let made = ctx.client.value(Call::post("/volumes/create").json(&body)).await?;
    ctx.out.line(text(&made, "/Name"))?;
    Ok(Exit::OK)
}

async fn ls(ctx: &Context, args: Ls) -> Result<Exit> {
    let found = ctx.client.value(Call::get("/volumes").query_some("filters", filters(&args.filter)?)).await?;
    let mut rows: Vec<Map<String, Value>> = items(&found, "/Volumes").iter().map(row).collect();
    rows.sort_by(|a, b| a.get("Name").and_then(Value::as_str).cmp(&b.get("Name").and_then(Value::as_str)));
    let listing = Listing { table: &["Driver", "Name"], columns: COLUMNS, id: "Name", rows };
    listing.print(&ctx.out, args.format.as_deref(), args.quiet)?;
    Ok(Exit::OK)
}

fn row(found: &Value) -> Map<String, Value> {
    let labels = found.get("Labels").filter(|l| l.is_object()).cloned().unwrap_or_else(|| json!({}));
    let mut row = Map::new();
    for name in ["Driver", "Name", "Scope", "Mountpoint"] {
        row.insert(name.to_owned(), Value::from(text(found, &format!("/{name}"))));
    }
    row.insert("Labels".to_owned(), Value::from(pairs(&labels)));
    row
}
