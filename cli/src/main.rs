//! `davit`: the command line of a container engine. A client of the Docker Engine API and nothing else.
//!
//! A walk: [`line`] is the grammar, one file in [`verbs`] a verb. A verb gets a [`context::Context`]: the connection
//! ([`connect`]), the one owner of output ([`printer`]) and the credentials ([`credentials`]). What `run` and
//! `create` have in common is [`spec`] (flags into a request); what `run`, `start` and `attach` have in common is
//! [`joined`], and with `exec` [`session`] (streams), [`terminal`], [`detach_keys`] and [`signals`]. Lists go through [`listing`] and
//! [`template`], progress through [`transfer`]. [`error`] says what went wrong and what to do next.
//!
//! It may know: the wire types, how an image is named, the terminal, the user's home. It may not know: how a container is made.

mod answer;
mod connect;
mod context;
mod credentials;
mod daemon;
mod detach_keys;
mod error;
mod joined;
mod line;
mod listing;
mod plain;
mod printer;
mod quantity;
mod question;
mod reference;
mod session;
mod signals;
mod since;
mod spec;
mod template;
mod terminal;
mod transfer;
mod verbs;

use clap::Parser;
use error::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let printer = printer::Printer::new();
    let exit = match line::Line::try_parse() {
        Ok(line) => verbs::dispatch(line, &printer),
        Err(refusal) => line::refuse(&refusal, &printer),
    };
    match exit {
        Ok(Exit(code)) => ExitCode::from(code),
        Err(error) => {
            printer.failure(&error);
            ExitCode::from(error.code())
        }
    }
}
