//! `davit completion`: a script for a shell.

use crate::{
    error::{Error, Exit, Result},
    line::Line,
    printer::Printer,
};
use clap::CommandFactory;
use clap_complete::Shell;

/// Generate the autocompletion script for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// bash, zsh or fish
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: Args, out: &Printer) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Line::command(), "davit", &mut script);
    let script = String::from_utf8(script).map_err(|e| Error::Failed(format!("completion script: {e}")))?;
    out.raw(&script)?;
    Ok(Exit::OK)
}
