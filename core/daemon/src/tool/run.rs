//! `davit plugin run`: one call, its answer, its log and how long it took.

use super::{Component, read, say};
use anyhow::{Context as _, Result};
use davit_plugin_host::{
    Lending, Question,
    conformance::{ImaginedLeases, NoManifests},
};
use std::{io::Write as _, path::PathBuf, process::ExitCode, time::Instant};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    component: Component,
    /// The call as JSON: {"kind": "storage", "call": "prepare-layer", "chain": […]}; `test --plan` shows examples
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
}

pub(super) async fn run(options: &Options) -> Result<ExitCode> {
    let path = &options.request;
    let question: Question =
        serde_json::from_str(&read(path)?).with_context(|| format!("{} is not a call", path.display()))?;
    let bench = options.component.load().await?;
    let leases = ImaginedLeases::before(&question);
    let began = Instant::now();
    let reply = bench.granted.reply(&question, Lending { leases: &leases, manifests: &NoManifests }).await;
    let took = began.elapsed();
    let mut log = std::io::stderr();
    for (level, line) in bench.services.lines() {
        // Where stderr is gone, nobody has to know.
        let _ = writeln!(log, "{level:?}: {line}");
    }
    let _ = writeln!(log, "{} took {} µs", question.call(), took.as_micros());
    match reply {
        Ok(reply) => {
            say(&serde_json::to_string_pretty(&reply.plan)?);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            let _ = writeln!(log, "{error}");
            Ok(ExitCode::FAILURE)
        }
    }
}
