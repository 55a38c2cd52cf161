//! `davit ps`: the containers.

use super::filters::filters;
use crate::{
    answer::{items, number, short_id, text, texts},
    connect::Call,
    context::Context,
    error::{Exit, Result},
    listing::{Column, Listing},
    quantity, since,
    template::Template,
};
use serde_json::{Map, Value, json};

/// List containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show all containers, not just running ones
    #[arg(short = 'a', long)]
    all: bool,
    /// Filter output based on conditions provided
    #[arg(short = 'f', long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Format output: table, json, or a Go template
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Show n last created containers, whatever their state
    #[arg(short = 'n', long, value_name = "NUMBER", allow_hyphen_values = true)]
    last: Option<i64>,
    /// Show the latest created container, whatever its state
    #[arg(short = 'l', long)]
    latest: bool,
    /// Don't truncate output
    #[arg(long)]
    no_trunc: bool,
    /// Only display container IDs
    #[arg(short = 'q', long)]
    quiet: bool,
    /// Display total file sizes
    #[arg(short = 's', long)]
    size: bool,
}

const COLUMNS: &[Column] = &[
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("CreatedAt", "CREATED AT"),
    ("RunningFor", "CREATED"),
    ("Status", "STATUS"),
    ("State", "STATE"),
    ("Ports", "PORTS"),
    ("Names", "NAMES"),
    ("Size", "SIZE"),
    ("Labels", "LABELS"),
    ("Mounts", "MOUNTS"),
    ("Networks", "NETWORKS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Platform", "PLATFORM"),
];
const TABLE: &[&str] = &["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];
const TABLE_WITH_SIZE: &[&str] = &["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names", "Size"];

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    if let Some(format) = args.format.as_deref().filter(|f| f.contains("{{")) {
        Template::parse(format.strip_prefix("table ").unwrap_or(format))?;
    }
    let limit = args.last.filter(|n| *n > 0).or(args.latest.then_some(1));
    let size = args.size || args.format.as_deref().is_some_and(|f| f.contains(".Size"));
    let call = Call::get("/containers/json")
        .switch("all", args.all || limit.is_some())
        .switch("size", size)
        .query_some("limit", limit)
        .query_some("filters", filters(&args.filter)?);
    let answer = ctx.client.value(call).await?;
    let rows = items(&answer, "").iter().map(|found| row(found, args.no_trunc, size)).collect();
    let table = if args.size { TABLE_WITH_SIZE } else { TABLE };
    Listing { table, columns: COLUMNS, id: "ID", rows }.print(&ctx.out, args.format.as_deref(), args.quiet)?;
    Ok(Exit::OK)
}

fn row(found: &Value, whole: bool, size: bool) -> Map<String, Value> {
    let cut = |text: &str, width| if whole { text.to_owned() } else { ellipsis(text, width) };
    let id = text(found, "/Id");
    let labels = found.get("Labels").filter(|l| l.is_object()).cloned().unwrap_or_else(|| json!({}));
    let names: Vec<&str> =
        texts(found, "/Names").into_iter().map(|n| n.trim_start_matches('/')).filter(|n| !n.contains('/')).collect();
    let mounts: Vec<&str> = items(found, "/Mounts")
        .iter()
        .map(|m| if text(m, "/Name").is_empty() { text(m, "/Source") } else { text(m, "/Name") })
        .collect();
    let volumes = items(found, "/Mounts").iter().filter(|m| text(m, "/Driver") == "local").count();
    let networks = found.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
    let networks: Vec<&str> = networks.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let row = json!({
        "ID": if whole { id } else { short_id(id) },
        "Image": image(found, whole),
        "Command": format!("\"{}\"", cut(text(found, "/Command"), 20).replace('"', "\\\"")),
        "CreatedAt": since::date(number(found, "/Created")),
        "RunningFor": since::ago(number(found, "/Created")),
        "Status": text(found, "/Status"),
        "State": text(found, "/State"),
        "Ports": ports(items(found, "/Ports")),
        "Names": names.join(","),
        "Size": if size { sizes(found) } else { "0B".to_owned() },
        "Labels": pairs(&labels),
        "LabelsMap": labels,
        "Mounts": mounts.iter().map(|m| cut(m, 15)).collect::<Vec<_>>().join(","),
        "Networks": networks.join(","),
        "LocalVolumes": volumes.to_string(),
        "Platform": text(found, "/ImageManifestDescriptor/platform/os"),
    });
    row.as_object().cloned().unwrap_or_default()
}

fn image(found: &Value, whole: bool) -> &str {
    let image = text(found, "/Image");
    if !whole && image.starts_with("sha256:") { short_id(image) } else { image }
}

fn sizes(found: &Value) -> String {
    let own = quantity::human_short(number(found, "/SizeRw"));
    match number(found, "/SizeRootFs") {
        0 => own,
        all => format!("{own} (virtual {})", quantity::human_short(all)),
    }
}

pub(super) fn pairs(labels: &Value) -> String {
    let pairs = labels.as_object().into_iter().flatten();
    pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))).collect::<Vec<_>>().join(",")
}

/// At most `width` letters, the last a mark where something was cut off.
fn ellipsis(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// `0.0.0.0:8080->80/tcp, 443/tcp`.
fn ports(ports: &[Value]) -> String {
    let mut known: Vec<(i64, &str, i64, &str)> = ports
        .iter()
        .map(|p| (number(p, "/PrivatePort"), text(p, "/Type"), number(p, "/PublicPort"), text(p, "/IP")))
        .collect();
    known.sort_unstable();
    let shown = known.into_iter().map(|(inside, protocol, outside, ip)| match (outside, ip) {
        (0, _) => format!("{inside}/{protocol}"),
        (outside, ip) if ip.contains(':') => format!("[{ip}]:{outside}->{inside}/{protocol}"),
        (outside, ip) => format!("{ip}:{outside}->{inside}/{protocol}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ports_are_shown_with_their_way_in() {
        let list = [
            json!({"PrivatePort": 80, "PublicPort": 8080, "Type": "tcp", "IP": "::"}),
            json!({"PrivatePort": 80, "PublicPort": 8080, "Type": "tcp", "IP": "0.0.0.0"}),
            json!({"PrivatePort": 53, "Type": "udp"}),
        ];
        assert_eq!(ports(&list), "53/udp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
    }

    #[test]
    fn long_commands_are_cut() {
        assert_eq!(ellipsis("httpd -f -p 8080 -h /www", 20), "httpd -f -p 8080 -h…");
    }
}
