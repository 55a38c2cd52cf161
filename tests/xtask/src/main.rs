//! `cargo xtask`: everything that is done to this repository by a program. One subcommand, one file.
//!
//! It knows the workspace's layout and the commands of the machine; nothing of Davit's insides.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program for people at a terminal")]

mod bench;
mod bindings;
mod build;
mod clients;
mod command;
mod demo;
mod enclosure;
mod fuzz;
mod guest;
mod guests;
mod packages;
mod peers;
mod plugins;
mod test;
mod toolchain;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

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
    /// Makes the C and Go bindings of plugin-sdk/ from wit/, or checks that they are those.
    Bindings(bindings::Options),
    /// Shows the main job from nothing: builds, a real image in a real registry, pull, run, stop, and again with others.
    Demo(demo::Options),
    /// Installs what is missing, builds everything, and runs the whole test suite.
    Test(test::Options),
    /// Measures Davit beside today's other engines.
    Bench(bench::Options),
    /// Runs the runtime's tests in a guest with Debian's 6.1 kernel and cgroup v2 alone.
    TestV2(guest::Options),
    /// Feeds parsers of what strangers send with generated input, steered by what it reaches.
    Fuzz(fuzz::Options),
    /// For the demo and the benches: the first process of their own namespaces.
    #[command(hide = true)]
    Enclosed(enclosure::Options),
}

fn main() -> ExitCode {
    match done() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn done() -> Result<()> {
    match Arguments::parse().verb {
        Verb::Build(options) => build::run(&options),
        Verb::Guests => guests::run(),
        Verb::Bindings(options) => bindings::run(&options),
        Verb::TestV2(options) => guest::run(&options),
        Verb::Demo(options) => demo::run(&options),
        Verb::Test(options) => test::run(&options),
        Verb::Bench(options) => bench::run(&options),
        Verb::Fuzz(options) => fuzz::run(&options),
        Verb::Enclosed(options) => enclosure::first(&options),
    }
}
