//! `davit images`: the images that are here.

use super::{filters::filters, ps::pairs};
use crate::{
    answer::{items, number, short_id, text, texts},
    connect::Call,
    context::Context,
    error::{Exit, Result},
    listing::{Column, Listing},
    quantity, reference, since,
    template::Template,
};
use serde_json::{Map, Value, json};

/// List images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show all images, also those without a name that others build on
    #[arg(short = 'a', long)]
    all: bool,
    /// Show digests
    #[arg(long)]
    digests: bool,
    /// Filter output based on conditions provided
    #[arg(short = 'f', long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Format output: table, json, or a Go template
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Don't truncate output
    #[arg(long)]
    no_trunc: bool,
    /// Only show image IDs
    #[arg(short = 'q', long)]
    quiet: bool,
    #[arg(value_name = "REPOSITORY[:TAG]")]
    reference: Option<String>,
}

const COLUMNS: &[Column] = &[
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("Digest", "DIGEST"),
    ("ID", "IMAGE ID"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("Size", "SIZE"),
    ("Containers", "CONTAINERS"),
    ("SharedSize", "SHARED SIZE"),
    ("UniqueSize", "UNIQUE SIZE"),
    ("Labels", "LABELS"),
];
const TABLE: &[&str] = &["Repository", "Tag", "ID", "CreatedSince", "Size"];
const TABLE_WITH_DIGESTS: &[&str] = &["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"];
const NONE: &str = "<none>";

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    if let Some(format) = args.format.as_deref().filter(|f| f.contains("{{")) {
        Template::parse(format.strip_prefix("table ").unwrap_or(format))?;
    }
    let mut wanted = args.filter;
    wanted.extend(args.reference.map(|r| format!("reference={r}")));
    let call = Call::get("/images/json").switch("all", args.all).query_some("filters", filters(&wanted)?);
    let answer = ctx.client.value(call).await?;
    let by_digest = args.digests || args.format.as_deref().is_some_and(|f| f.contains(".Digest"));
    let mut rows: Vec<_> = items(&answer, "").iter().flat_map(|image| rows(image, args.no_trunc, by_digest)).collect();
    if args.quiet {
        let mut seen = std::collections::HashSet::new();
        rows.retain(|row| seen.insert(row.get("ID").cloned()));
    }
    let table = if args.digests { TABLE_WITH_DIGESTS } else { TABLE };
    Listing { table, columns: COLUMNS, id: "ID", rows }.print(&ctx.out, args.format.as_deref(), args.quiet)?;
    Ok(Exit::OK)
}

/// One row a name; one for an image without any.
fn rows(image: &Value, whole: bool, by_digest: bool) -> Vec<Map<String, Value>> {
    let real =
        |names: Vec<&str>| names.into_iter().filter(|n| !n.starts_with(NONE)).map(str::to_owned).collect::<Vec<_>>();
    let tags = real(texts(image, "/RepoTags"));
    let digests = real(texts(image, "/RepoDigests"));
    let digest_of = |name: &str| {
        let found = digests.iter().filter_map(|d| d.split_once('@')).find(|(repository, _)| *repository == name);
        found.map_or(NONE, |(_, digest)| digest)
    };
    let mut names: Vec<(&str, &str, &str)> = tags
        .iter()
        .map(|tag| {
            let (name, tag) = reference::split(tag);
            (name, tag.unwrap_or(NONE), if by_digest { digest_of(name) } else { NONE })
        })
        .collect();
    if names.is_empty() {
        names.extend(digests.iter().filter_map(|d| d.split_once('@')).map(|(name, digest)| (name, NONE, digest)));
    }
    if names.is_empty() {
        names.push((NONE, NONE, NONE));
    }
    names.into_iter().map(|(name, tag, digest)| row(image, whole, name, tag, digest)).collect()
}

fn row(image: &Value, whole: bool, name: &str, tag: &str, digest: &str) -> Map<String, Value> {
    let id = text(image, "/Id");
    let labels = image.get("Labels").filter(|l| l.is_object()).cloned().unwrap_or_else(|| json!({}));
    let known = |pointer: &str| match number(image, pointer) {
        -1 => "N/A".to_owned(),
        n => n.to_string(),
    };
    let size = |pointer: &str| match number(image, pointer) {
        -1 => "N/A".to_owned(),
        n => quantity::human_short(n),
    };
    let row = json!({
        "Repository": name,
        "Tag": tag,
        "Digest": digest,
        "ID": if whole { id } else { short_id(id) },
        "CreatedSince": since::ago(number(image, "/Created")),
        "CreatedAt": since::date(number(image, "/Created")),
        "Size": size("/Size"),
        "Containers": known("/Containers"),
        "SharedSize": size("/SharedSize"),
        "UniqueSize": "N/A",
        "Labels": pairs(&labels),
        "LabelsMap": labels,
    });
    row.as_object().cloned().unwrap_or_default()
}
