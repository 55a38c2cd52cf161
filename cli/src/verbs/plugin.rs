//! `davit plugin`: the plugins that stand behind the site's policy.

use crate::{
    answer::{items, text, texts},
    connect::{Call, segment},
    context::Context,
    daemon,
    error::{Exit, Result},
    listing::{Column, Listing},
    template::Template,
};
use serde_json::{Value, json};
use std::ffi::OsString;

/// Look at the site's plugins, and try out one's own
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Plugin {
    Ls(ListArgs),
    Inspect(InspectArgs),
    /// Say what is in a component, and what an operator would be asked
    #[command(disable_help_flag = true)]
    Check(ToolArgs),
    /// Run the conformance suite of a component's kinds
    #[command(disable_help_flag = true)]
    Test(ToolArgs),
    /// Make one call of a component, with its log and timing
    #[command(disable_help_flag = true)]
    Run(ToolArgs),
}

/// Words of the daemon's program, which holds the plugin host; it needs no root and no daemon for this
#[derive(Debug, clap::Args)]
pub(crate) struct ToolArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FILE [OPTION]")]
    words: Vec<OsString>,
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
        Plugin::Check(args) => tool("check", args),
        Plugin::Test(args) => tool("test", args),
        Plugin::Run(args) => tool("run", args),
    }
}

fn tool(verb: &str, args: ToolArgs) -> Result<Exit> {
    daemon::exec(["plugin-tool", verb].map(OsString::from).into_iter().chain(args.words).collect())
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
