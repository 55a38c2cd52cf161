//! `cargo xtask fuzz`: libFuzzer with the compiler of the workspace. The targets are the programs of `tests/fuzz`; they are
//! compiled in a folder of their own with instrumentation and with checks of overflow. What is found on the way is kept in
//! `target/fuzz/corpus`, beside the seeds of the tree, and begins the next run; an input that breaks something is in
//! `target/fuzz/found`.

use crate::{build, command, workspace};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// What the compiler puts in for libFuzzer: counters of edges, and what is compared with what.
const INSTRUMENTATION: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// An input that takes longer is a finding.
const SLOW: Duration = Duration::from_secs(10);
/// How long a target may take to end after its time.
const GRACE: Duration = Duration::from_secs(60);

/// What is fed, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The target: a file of tests/fuzz/targets, without its ending. All of them, one after another, where none is given.
    target: Option<String>,
    /// For how long each.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let package = workspace::root()?.join("tests/fuzz");
    let all = names(&package.join("targets"))?;
    let chosen: Vec<&String> = all.iter().filter(|n| options.target.as_ref().is_none_or(|t| t == *n)).collect();
    ensure!(!chosen.is_empty(), "there is no such target; there are {}", all.join(", "));
    let own = workspace::target_dir()?.join("fuzz");
    let programs = compile(&own)?;
    let mut broken = Vec::new();
    for name in chosen {
        command::step(&format!("{name}, {} s", options.seconds));
        let (corpus, found) = (own.join("corpus").join(name), own.join("found"));
        for folder in [&corpus, &found] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let mut program = Command::new(programs.join(name));
        program.arg(format!("-max_total_time={}", options.seconds)).arg(format!("-timeout={}", SLOW.as_secs()));
        program.arg(format!("-artifact_prefix={}/{name}-", found.display()));
        program.args(["-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=1"]);
        program.arg(corpus).arg(package.join("seeds").join(name));
        let limit = Duration::from_secs(options.seconds) + GRACE;
        if !command::run_for(&mut program, limit)?.is_some_and(|status| status.success()) {
            broken.push(name.as_str());
        }
    }
    if !broken.is_empty() {
        bail!("broken: {}; the inputs are in {}", broken.join(", "), own.join("found").display());
    }
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let read = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = read.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let mut names: Vec<_> = paths.iter().filter_map(|p| Some(p.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// Compiles all targets; the answer is the folder that they are in. With a target named, what runs while it compiles is left
/// as it is: instrumented, it would miss libFuzzer.
fn compile(own: &Path) -> Result<PathBuf> {
    command::step("compiling the targets with instrumentation (a first time takes several minutes)");
    let host = build::host_triple()?;
    let flags = format!("CARGO_TARGET_{}_RUSTFLAGS", host.replace('-', "_").to_uppercase());
    let mut cargo = Command::new(workspace::cargo());
    cargo
        .args(["build", "--release", "--package", "davit-fuzz", "--bins", "--target", &host, "--target-dir"])
        .arg(own)
        .env(flags, INSTRUMENTATION.join(" "))
        .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_INCREMENTAL", "false")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(workspace::root()?);
    command::run(&mut cargo, "the compiler's own words are above")?;
    Ok(own.join(host).join("release"))
}
