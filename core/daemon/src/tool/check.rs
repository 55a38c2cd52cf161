//! `davit plugin check`: what is in a component, whether its needs cover what it uses, and what an operator would be
//! asked to grant.

use super::{Component, say};
use anyhow::Result;
use davit_plugin_host::{
    PluginInfo,
    words::{self, Explained},
};
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    component: Component,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: &Options) -> Result<ExitCode> {
    let bench = options.component.load().await?;
    let info = bench.granted.info();
    let doubts = doubts(info);
    if options.json {
        let text = serde_json::to_string_pretty(&json!({
            "name": info.manifest.plugin.name,
            "version": info.manifest.plugin.version,
            "digest": info.digest,
            "bytes": bench.size,
            "kinds": info.kinds,
            "exports": info.exports,
            "imports": info.imports,
            "needs": info.needs(),
            "why": info.manifest.why,
            "doubts": doubts,
        }))?;
        say(&text);
        return Ok(ExitCode::SUCCESS);
    }
    let plugin = &info.manifest.plugin;
    say(&format!("{} {}, {} KiB, {}", plugin.name, plugin.version, bench.size.div_ceil(1024), info.digest));
    say(&format!("kinds    {}", info.kinds.join(", ")));
    say(&format!("exports  {}", info.exports.join("\n         ")));
    let (ours, wasi): (Vec<_>, Vec<_>) = info.imports.iter().partition(|name| name.starts_with("davit:"));
    let ours: Vec<&str> = ours.iter().map(|name| name.as_str()).collect();
    say(&format!("imports  {}", ours.join("\n         ")));
    if !wasi.is_empty() {
        say(&format!("         {} interfaces of WASI: clocks, random and the log's streams; nothing else", wasi.len()));
    }
    let asks = info.manifest.explained();
    match asks.as_slice() {
        [] => say("asks     for nothing"),
        asks => {
            say("asks     the operator whether it may");
            for Explained { right, means, why } in asks {
                let why = if why.is_empty() { "no reason given" } else { why };
                say(&format!("           {means} ({right}): {why}"));
            }
        }
    }
    for doubt in &doubts {
        say(&format!("warning: {doubt}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Where manifest and component do not fit each other. A need that is not used frightens operators for nothing; a use
/// that is not asked for is answered `denied` at every call.
fn doubts(info: &PluginInfo) -> Vec<String> {
    let needs = info.needs();
    let pairs = [
        ("http", "davit:host/http#[method]request.send", !needs.http.is_empty()),
        ("secrets", "davit:host/secrets#named", !needs.secrets.is_empty()),
        ("credentials", "davit:host/secrets#stored", needs.credentials),
        ("state", "davit:host/state#swap", needs.state),
    ];
    let mut doubts = Vec::new();
    for (need, function, asked) in pairs {
        match (info.functions.contains(function), asked) {
            (true, false) if imports_by_the_world(info) => {}
            (true, false) => doubts.push(format!(
                "it uses {function}, and [needs] does not ask for {need}: every such call will be answered \"denied\""
            )),
            (false, true) => {
                doubts.push(format!("[needs] asks for {need}, and the component does not use {function}"));
            }
            _ => {}
        }
    }
    for word in needs.in_words() {
        if info.manifest.why_of(&word).is_none() {
            doubts.push(format!("[why] has no sentence for {:?}, which an operator is to grant", words::key(&word)));
        }
    }
    doubts.dedup();
    doubts
}

/// Whether its language imports whatever its world has, used or not: interpreters do, compilers do not. Whoever reads both
/// clocks, one setting and the whole section is taken for one.
fn imports_by_the_world(info: &PluginInfo) -> bool {
    let all = ["clock#now-ms", "clock#monotonic-ns", "config#get", "config#section-json", "log#write"];
    all.iter().all(|function| info.functions.contains(&format!("davit:host/{function}")))
}
