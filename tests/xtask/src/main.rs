//! `cargo xtask`: everything that is done to this repository by a program. One subcommand, one file.
//!
//! It knows the workspace's layout and the commands of the machine; nothing of Davit's insides.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program for people at a terminal")]

mod build;
mod command;
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
}

fn main() -> Result<()> {
    match Arguments::parse().verb {
        Verb::Build(options) => build::run(&options),
        Verb::Guests => guests::run(),
    }
}
