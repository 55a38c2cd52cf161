//! Every template of every language, as an author gets it: made by `davit plugin new`, tested by its own test, built, checked,
//! held to the rules of its kind, and to the plans that Rust's template makes of the same requests; then the four of a
//! language together are a site's policy, and containers run under it.
//!
//! A language that this machine cannot have is skipped, and said. What its tools fetch or make that serves all of its
//! templates is kept in the target folder, in `templates/LANG`.
#![allow(clippy::print_stdout, reason = "what a test skips and measures is said to whoever runs it")]

mod road;
mod workshop;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::{
    process::{Command, Stdio},
    sync::OnceLock,
};
use workshop::{Templates, Workshop};

/// Rust's, made once.
fn reference() -> Result<&'static Templates> {
    static TEMPLATES: OnceLock<Result<Templates, String>> = OnceLock::new();
    let templates = TEMPLATES.get_or_init(|| {
        let templates = Workshop::open("rust").and_then(|shop| shop.templates());
        templates.map_err(|e| format!("{e:#}"))
    });
    templates.as_ref().map_err(|e| anyhow::anyhow!("rust: {e}"))
}

/// The first place where two plans part.
fn parting(at: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(n, (a, b))| parting(&format!("{at}/{n}"), a, b))
        }
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().zip(b.values()).find_map(|((key, a), b)| parting(&format!("{at}/{key}"), a, b))
        }
        _ if ours == theirs => None,
        _ => Some(format!("{at}: Rust's is {ours}, this is {theirs}")),
    }
}

/// Whether a machine has a language: the commands that must answer.
fn missing(probes: &[&[&str]]) -> Option<String> {
    probes.iter().find_map(|probe| {
        let (program, words) = probe.split_first()?;
        match Command::new(program).args(words).stdin(Stdio::null()).output() {
            Ok(out) if out.status.success() => None,
            Ok(out) => Some(format!("{} ended with {}", probe.join(" "), out.status)),
            Err(error) => Some(format!("{program}: {error}")),
        }
    })
}

fn agrees(language: &'static str, probes: &[&[&str]]) -> Result<()> {
    if let Some(why) = missing(probes) {
        println!("skipped: {language} cannot be had here: {why}");
        return Ok(());
    }
    let shop = Workshop::open(language)?;
    let templates = shop.templates().with_context(|| language)?;
    for (kind, wanted) in reference()? {
        let got = templates.get(kind).with_context(|| format!("no plans of kind {kind}"))?;
        if let Some(place) = parting("", &wanted.plans, &got.plans) {
            bail!("{language}, {kind}: {place}");
        }
    }
    road::walk(&templates, &shop.forms()).with_context(|| format!("{language}, on the real road"))
}

#[test]
fn templates_in_rust_are_whole_and_run_containers() -> Result<()> {
    for (kind, template) in reference()? {
        let plans = template.plans.as_array().context("a list of plans")?;
        ensure!(plans.len() >= 200, "{kind}: only {} requests", plans.len());
    }
    road::walk(reference()?, &Workshop::open("rust")?.forms()).context("on the real road")
}

#[test]
fn templates_in_c_are_whole_plan_as_those_in_rust_and_run_containers() -> Result<()> {
    agrees("c", &[&["clang-14", "--version"], &["wasm-ld-14", "--version"], &["make", "--version"]])
}

#[test]
fn templates_in_go_are_whole_plan_as_those_in_rust_and_run_containers() -> Result<()> {
    // One that knows of toolchains (1.21) fetches the one that go.mod wants.
    agrees("go", &[&["sh", "-c", "go env GOVERSION | grep -E '^go1[.](2[1-9]|[3-9][0-9])'"]])
}

#[test]
fn templates_in_javascript_are_whole_plan_as_those_in_rust_and_run_containers() -> Result<()> {
    // The templates' tests stand on this flag (18.19).
    agrees("js", &[&["node", "--import", "data:text/javascript,", "-e", "0"], &["npm", "--version"]])
}

#[test]
fn templates_in_python_are_whole_plan_as_those_in_rust_and_run_containers() -> Result<()> {
    let recent = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";
    agrees("python", &[&["python3", "-c", recent]])
}
