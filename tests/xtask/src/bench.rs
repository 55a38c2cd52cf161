//! `cargo xtask bench`: Davit beside today's other engines, interleaved in one run. A figure is never a test: this ends
//! with success whatever it measures, and says which goals are met.

mod bundle;
mod contestant;
mod peers_of_policy;
mod plugins;
mod row;
mod start;
mod table;

use crate::{build, command, enclosure, packages, peers};
use anyhow::{Context as _, Result};
use davit_fixtures::leftovers;
use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// From the command to a container's end, or to its start where it goes on by itself.
    Start(Start),
    /// A decision of a plugin, in each language, beside the same one elsewhere.
    Plugins(Plugins),
}

/// How plugins are measured.
#[derive(Debug, clap::Args)]
struct Plugins {
    /// Also write the rows to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the table into this file, where it has the marks for it.
    #[arg(long, value_name = "FILE")]
    readme: Option<PathBuf>,
    /// Calls of each that are timed.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(10..))]
    calls: u32,
}

/// How it is measured.
#[derive(Debug, clap::Args)]
struct Start {
    /// Also write the rows to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Rounds; in each, everybody runs everything once.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// The peers' root; given where everything is built and namespaces are made.
    #[arg(long, hide = true)]
    inside: Option<PathBuf>,
}

/// Control groups of the peers.
const GROUPS: [&str; 4] = ["docker", "libpod_parent", "conmon", bundle::GROUP];

pub(crate) fn run(options: &Options) -> Result<()> {
    let start = match &options.what {
        What::Start(start) => start,
        What::Plugins(plugins) => {
            packages::install(&[packages::DEMO, packages::TESTS, packages::CNI])?;
            build::all()?;
            return plugins::run(plugins.calls, plugins.json.as_deref(), plugins.readme.as_deref());
        }
    };
    if let Some(root) = &start.inside {
        return start::run(root, start.runs, start.json.as_deref());
    }
    packages::install(&[packages::DEMO, packages::PEERS])?;
    let root = peers::root()?;
    build::all()?;
    let work = tempfile::Builder::new().prefix("davit-bench-").tempdir().context("cannot make a temporary folder")?;
    let mut words: Vec<OsString> = ["bench", "start", "--runs"].map(OsString::from).into();
    words.extend([start.runs.to_string().into(), "--inside".into(), root.into_os_string()]);
    if let Some(json) = &start.json {
        let json = env::current_dir()?.join(json);
        words.extend(["--json".into(), json.into_os_string()]);
    }
    command::step("entering namespaces of the bench's own: processes, mounts, network");
    let before = groups();
    let ran = enclosure::run(&words, work);
    for group in groups().difference(&before) {
        leftovers::remove_group(group)?;
    }
    ran
}

/// The peers' groups that are there: one of a docker of the machine's own was there before, and stays.
fn groups() -> BTreeSet<PathBuf> {
    let base = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(base).into_iter().flatten().flatten().map(|e| e.path());
    let all = hierarchies.chain([base.to_owned()]).flat_map(|h| GROUPS.map(|name| h.join(name)));
    all.filter(|group| group.is_dir()).collect()
}
