//! `davit stats`: what containers use, once or again and again.

use crate::{
    answer::{items, number, short_id, text},
    connect::{Call, segment},
    context::Context,
    error::{Exit, Result},
    listing::{Column, Listing},
    quantity,
    template::Template,
};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How long there is between two readings.
const INTERVAL: Duration = Duration::from_secs(1);

/// Display resource usage statistics of containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show all containers, not just running ones
    #[arg(short = 'a', long)]
    all: bool,
    /// Format output: table, json, or a Go template
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Show one result and end
    #[arg(long)]
    no_stream: bool,
    /// Don't truncate output
    #[arg(long)]
    no_trunc: bool,
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

const COLUMNS: &[Column] = &[
    ("Container", "CONTAINER"),
    ("ID", "CONTAINER ID"),
    ("Name", "NAME"),
    ("CPUPerc", "CPU %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("MemPerc", "MEM %"),
    ("NetIO", "NET I/O"),
    ("BlockIO", "BLOCK I/O"),
    ("PIDs", "PIDS"),
];
const TABLE: &[&str] = &["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"];

pub(crate) async fn run(ctx: &Context, args: Args) -> Result<Exit> {
    if let Some(format) = args.format.as_deref().filter(|f| f.contains("{{")) {
        Template::parse(format.strip_prefix("table ").unwrap_or(format))?;
    }
    let mut before = readings(ctx, &args).await?;
    loop {
        // A share of CPU time needs two readings.
        tokio::time::sleep(INTERVAL).await;
        let now = readings(ctx, &args).await?;
        let rows = now.iter().map(|(name, found)| {
            let earlier = before.iter().find(|(_, e)| text(e, "/id") == text(found, "/id"));
            row(found, earlier.map_or(&Value::Null, |(_, e)| e), name, args.no_trunc)
        });
        let rows = rows.collect();
        if !args.no_stream && ctx.out.out_is_terminal() {
            // Home, and everything below is gone: the table stands still.
            ctx.out.raw("\x1b[H\x1b[J")?;
        }
        Listing { table: TABLE, columns: COLUMNS, id: "ID", rows }.print(&ctx.out, args.format.as_deref(), false)?;
        if args.no_stream {
            return Ok(Exit::OK);
        }
        before = now;
    }
}

/// One reading of each container, with the name that it was asked by.
async fn readings(ctx: &Context, args: &Args) -> Result<Vec<(String, Value)>> {
    let named = !args.containers.is_empty();
    let names = if named {
        args.containers.clone()
    } else {
        let listed = ctx.client.value(Call::get("/containers/json").switch("all", args.all)).await?;
        items(&listed, "").iter().map(|c| text(c, "/Id").to_owned()).collect()
    };
    let mut readings = Vec::with_capacity(names.len());
    for name in names {
        let call = Call::get(format!("/containers/{}/stats", segment(&name)));
        match ctx.client.value(call.query("stream", "false").query("one-shot", "true")).await {
            Ok(found) => readings.push((name, found)),
            // It ended and was removed since it was listed.
            Err(e) if !named && e.status() == Some(404) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(readings)
}

fn row(found: &Value, before: &Value, asked: &str, whole: bool) -> Map<String, Value> {
    let id = text(found, "/id");
    let (used, limit) = memory(found);
    let percent = if limit > 0.0 { used / limit * 100.0 } else { 0.0 };
    let io = |op: &str| -> i64 {
        let all = items(found, "/blkio_stats/io_service_bytes_recursive").iter();
        all.filter(|io| text(io, "/op").eq_ignore_ascii_case(op)).map(|io| number(io, "/value")).sum()
    };
    let net = |key: &str| -> i64 {
        let all = found.get("networks").and_then(Value::as_object).into_iter().flatten();
        all.map(|(_, traffic)| number(traffic, key)).sum()
    };
    let pair = |a: i64, b: i64| format!("{} / {}", quantity::human_short(a), quantity::human_short(b));
    let row = json!({
        "Container": asked,
        "ID": if whole { id } else { short_id(id) },
        "Name": text(found, "/name").trim_start_matches('/'),
        "CPUPerc": format!("{:.2}%", cpu(found, before)),
        "MemUsage": format!("{} / {}", quantity::binary(used), quantity::binary(limit)),
        "MemPerc": format!("{percent:.2}%"),
        "NetIO": pair(net("/rx_bytes"), net("/tx_bytes")),
        "BlockIO": pair(io("read"), io("write")),
        "PIDs": number(found, "/pids_stats/current").to_string(),
    });
    row.as_object().cloned().unwrap_or_default()
}

fn float(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or(0.0)
}

/// In use without the page cache that could go at once, and the limit.
fn memory(found: &Value) -> (f64, f64) {
    let usage = float(found, "/memory_stats/usage");
    let cache = float(found, "/memory_stats/stats/inactive_file");
    (if cache < usage { usage - cache } else { usage }, float(found, "/memory_stats/limit"))
}

/// Percent of one CPU: the container's share of the machine's time, times the number of CPUs.
fn cpu(found: &Value, before: &Value) -> f64 {
    let grown = |what: &str| float(found, what) - float(before, what);
    let (own, system) = (grown("/cpu_stats/cpu_usage/total_usage"), grown("/cpu_stats/system_cpu_usage"));
    if own > 0.0 && system > 0.0 { own / system * float(found, "/cpu_stats/online_cpus") * 100.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_one_of_two_cpus_is_fifty_percent() {
        let found = json!({
            "cpu_stats": {"cpu_usage": {"total_usage": 1_500}, "system_cpu_usage": 6_000, "online_cpus": 2},
            "memory_stats": {"usage": 3_145_728, "limit": 104_857_600, "stats": {"inactive_file": 1_048_576}},
            "networks": {"eth0": {"rx_bytes": 1000, "tx_bytes": 20}},
            "pids_stats": {"current": 3},
        });
        let cpu = json!({"cpu_usage": {"total_usage": 1_000}, "system_cpu_usage": 4_000});
        let row = row(&found, &json!({"cpu_stats": cpu}), "one", false);
        assert_eq!(row["CPUPerc"], "50.00%");
        assert_eq!(row["MemUsage"], "2MiB / 100MiB");
        assert_eq!((&row["MemPerc"], &row["NetIO"], &row["PIDs"]), (&json!("2.00%"), &json!("1kB / 20B"), &json!("3")));
    }
}
