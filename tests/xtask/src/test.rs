//! `cargo xtask test`: the whole suite, from nothing.

use crate::{build, clients, command, guests, packages, workspace};
use anyhow::Result;
use std::process::Command;

/// How much of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The long form: 200 random kills of each part instead of 20.
    #[arg(long)]
    long: bool,
    /// Only tests whose name contains this.
    filter: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    packages::install(&[packages::DEMO, packages::TESTS])?;
    build::all()?;
    guests::run()?;
    command::step("running the tests (they need root, and leave nothing behind)");
    let mut cargo = Command::new(workspace::cargo());
    cargo.args(["test", "--release", "--no-fail-fast"]).current_dir(workspace::root()?);
    cargo.env("DAVIT_BIN_DIR", workspace::target_dir()?.join("release"));
    clients::provide(&mut cargo)?;
    if options.long {
        cargo.env("DAVIT_TEST_LONG", "1");
    }
    // The end-to-end tests share two cores: more daemons at once only wait for each other.
    cargo.arg("--").arg("--test-threads=2");
    if let Some(filter) = &options.filter {
        cargo.arg(filter);
    }
    command::run(&mut cargo, "the failed tests are named above")
}
