//! `cargo xtask test`: the whole suite, from nothing.

use crate::{build, clients, command, guest, guests, packages, toolchain, workspace};
use anyhow::{Result, bail};
use std::process::Command;

/// How much of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The long form: 200 random kills of each part instead of 20.
    #[arg(long)]
    long: bool,
    /// Only tests whose name contains this, and none in the guest.
    filter: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    packages::install(&[packages::DEMO, packages::TESTS])?;
    build::for_tests()?;
    guests::run()?;
    command::step("running the tests (they need root, and leave nothing behind)");
    let mut cargo = Command::new(workspace::cargo());
    cargo.args(["test", "--release", "--no-fail-fast"]).current_dir(workspace::root()?);
    cargo.env("DAVIT_BIN_DIR", build::tested()?);
    // The components are there: a test that built them itself would wait for the lock that this cargo holds.
    cargo.env("DAVIT_COMPONENTS_BUILT", "1");
    // What authors' tools keep for a user is kept here for the tests, compiled forms among it.
    cargo.env("XDG_CACHE_HOME", workspace::target_dir()?.join("cache"));
    clients::provide(&mut cargo)?;
    toolchain::ensure()?.tell(&mut cargo);
    if options.long {
        cargo.env("DAVIT_TEST_LONG", "1");
    }
    // The end-to-end tests share two cores: more daemons at once only wait for each other.
    cargo.arg("--").arg("--test-threads=2");
    if let Some(filter) = &options.filter {
        cargo.arg(filter);
    }
    let here = command::run(&mut cargo, "the failed tests are named above");
    build::withdraw()?;
    if options.filter.is_some() {
        return here;
    }
    command::step("running the runtime's tests on control groups of version 2");
    let there = guest::run(&guest::Options { filter: None, brief: !options.long });
    match (here, there) {
        (Ok(()), there) => there,
        (here, Ok(())) => here,
        (Err(here), Err(there)) => bail!("{here:#}; and in the guest: {there:#}"),
    }
}
