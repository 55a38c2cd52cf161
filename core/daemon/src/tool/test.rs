//! `davit plugin test`: the conformance suite of a component's kinds, in the real host with the core's own checks.

use super::{Component, judge::Core, read, say, warn};
use anyhow::{Context as _, Result, bail};
use davit_plugin_host::conformance::{self, Check, Outcome, Report, Thoroughness};
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    component: Component,
    /// Generated requests of each function
    #[arg(long, value_name = "N", default_value_t = Thoroughness::default().requests)]
    requests: u32,
    /// Where the generated requests begin; the same seed makes the same ones
    #[arg(long, value_name = "N", default_value_t = Thoroughness::default().seed)]
    seed: u64,
    /// Print the requests and the plans as JSON instead of the checks
    #[arg(long)]
    plan: bool,
    /// Compare the plans with those in this file; it is written where it is not there
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
    /// Print the checks as JSON
    #[arg(long, conflicts_with = "plan")]
    json: bool,
}

pub(super) async fn run(options: &Options) -> Result<ExitCode> {
    let bench = options.component.load().await?;
    let how = Thoroughness { requests: options.requests.clamp(1, 10_000), seed: options.seed };
    let report = conformance::run(&bench.granted, &bench.bare, &bench.services, &Core, how).await;
    match (options.plan, options.json) {
        (true, _) => {
            say(&serde_json::to_string_pretty(&report.plans)?);
            for Check { name, outcome, .. } in &report.checks {
                if let Outcome::Failed(why) = outcome {
                    warn(&format!("FAIL  {name}\n      {why}"));
                }
            }
        }
        (_, true) => say(&serde_json::to_string_pretty(&report.checks)?),
        _ => shown(&report),
    }
    if let Some(path) = &options.snapshot {
        compared(path, &report)?;
    }
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn shown(report: &Report) {
    for Check { name, outcome, calls } in &report.checks {
        match outcome {
            Outcome::Passed => say(&format!("ok    {name} ({calls} calls)")),
            Outcome::Skipped(why) => say(&format!("skip  {name}: {why}")),
            Outcome::Failed(why) => say(&format!("FAIL  {name}\n      {why}")),
        }
    }
    let count = |is: fn(&Outcome) -> bool| report.checks.iter().filter(|c| is(&c.outcome)).count();
    say(&format!(
        "{} passed, {} failed, {} skipped",
        count(|o| *o == Outcome::Passed),
        count(|o| matches!(o, Outcome::Failed(_))),
        count(|o| matches!(o, Outcome::Skipped(_)))
    ));
}

/// Plans of the same requests must be those that were made before.
fn compared(path: &PathBuf, report: &Report) -> Result<()> {
    let now = serde_json::to_string_pretty(&report.plans)? + "\n";
    if !path.exists() {
        std::fs::write(path, now).with_context(|| format!("cannot write {}", path.display()))?;
        say(&format!("{} is written: {} plans", path.display(), report.plans.len()));
        return Ok(());
    }
    let before = read(path)?;
    let differs = (1..).zip(before.lines().zip(now.lines())).find(|(_, (was, is))| was != is);
    match differs {
        Some((line, (was, is))) => bail!(
            "the plans are not those of {}: line {line} was {:?} and is {:?}; remove the file where that is meant",
            path.display(),
            was.trim(),
            is.trim()
        ),
        None if before.lines().count() != now.lines().count() => {
            bail!("there are other requests than in {}: was it made with another seed?", path.display())
        }
        None => Ok(()),
    }
}
