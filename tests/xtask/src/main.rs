//! `cargo xtask`: everything that is done to this repository by a program. One subcommand, one file.
//!
//! It knows the workspace's layout and the commands of the machine; nothing of Davit's insides.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program for people at a terminal")]

mod build;
mod command;
mod guest;
mod guests;
mod plugins;
mod toolchain;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Builds, shows and tests Davit.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Builds the three binaries and the plugin components into target/release.
    Build(build::Options),
    /// Builds the misbehaving components that the plugin host is tested with, and prints their folder.
    Guests,
    /// Runs the runtime's tests in a guest with Debian's 6.1 kernel and cgroup v2 alone.
    TestV2(guest::Options),
}

fn main() -> Result<()> {
    match Arguments::parse().verb {
        Verb::Build(options) => build::run(&options),
        Verb::Guests => guests::run(),
        Verb::TestV2(options) => guest::run(&options),
    }
}
