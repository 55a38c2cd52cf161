//! `davit-runtime`: launcher, resolver and OCI command line in one small static program.

use clap::{Parser, Subcommand};
use davit_runtime::failure::chain;
use davit_runtime::oci;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs containers from OCI bundles.
#[derive(Debug, Parser)]
#[command(name = "davit-runtime", version)]
struct Arguments {
    /// Where the state of containers is kept.
    #[arg(long, global = true, default_value = "/run/davit-runtime")]
    root: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Oci(oci::Verb),
    /// Forks monitors for an engine, which speaks over standard input.
    #[command(hide = true)]
    Launch,
    /// Answers names of containers on the gateways of all networks.
    #[command(hide = true)]
    Names {
        /// Where the engine keeps what runs; zones are in its `zones`.
        #[arg(long)]
        exec_root: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let status = match &arguments.command {
        Command::Oci(verb) => oci::execute(&arguments.root, verb),
        Command::Launch => davit_runtime::launcher::serve()
            .map(|()| 0)
            .map_err(|source| oci::OciError::System { what: "serve the engine", source }),
        Command::Names { exec_root } => davit_runtime::names::serve(exec_root)
            .map(|()| 0)
            .map_err(|e| oci::OciError::System { what: "serve names", source: std::io::Error::other(e) }),
    };
    match status {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(255)),
        Err(error) => {
            // Where standard error is closed there is nowhere left to say it.
            writeln!(std::io::stderr(), "davit-runtime: {}", chain(&error)).ok();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(125))
        }
    }
}
