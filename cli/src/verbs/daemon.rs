//! `davit daemon`: becomes davitd; with `--detach` starts one and returns when it answers.

use super::{default_socket, roots};
use crate::{
    connect::{self, Host},
    daemon,
    error::{Error, Exit, Result},
    line::Options,
    printer::Printer,
};
use std::ffi::OsString;

/// Run the daemon; its own options follow after --
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Start it in the background, and return when it answers
    #[arg(short = 'd', long)]
    detach: bool,
    /// Leave the caller's session, directory and descriptors first
    #[arg(long, hide = true)]
    own_session: bool,
    /// Options of davitd
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    words: Vec<OsString>,
}

pub(crate) fn run(args: Args, options: &Options, out: &Printer) -> Result<Exit> {
    if args.detach {
        return detach(&args.words, options, out);
    }
    if args.own_session {
        daemon::leave_caller()?;
        return daemon::exec(args.words);
    }
    let host = options.host.iter().flat_map(|host| ["-H".into(), host.into()]);
    daemon::exec(host.chain(roots(options).words()).chain(args.words).collect())
}

fn detach(words: &[OsString], options: &Options, out: &Printer) -> Result<Exit> {
    let socket = match options.host.as_deref().map(|text| Host::parse(text, None)).transpose()? {
        None => default_socket(options),
        Some(Host::Unix(socket)) => socket,
        Some(other) => return Err(Error::usage(format!("--detach starts a daemon at a unix socket, not at {other}"))),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("start", "the event loop"))?;
    runtime.block_on(connect::start(&socket, &roots(options), words, out))?;
    Ok(Exit::OK)
}
