//! The one owner of output. Results go to standard output; everything about them goes to standard error.

use crate::{
    error::{Error, Result},
    plain,
};
use std::io::{self, IsTerminal, Write};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    out_is_terminal: bool,
    err_is_terminal: bool,
}

impl Printer {
    pub(crate) fn new() -> Self {
        Self { out_is_terminal: io::stdout().is_terminal(), err_is_terminal: io::stderr().is_terminal() }
    }

    /// Whether results are read by a person.
    pub(crate) fn out_is_terminal(&self) -> bool {
        self.out_is_terminal
    }

    /// Whether progress can be drawn.
    pub(crate) fn err_is_terminal(&self) -> bool {
        self.err_is_terminal
    }

    /// A result, as it is.
    pub(crate) fn raw(&self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::output)
    }

    /// A result, on a line.
    pub(crate) fn line(&self, text: &str) -> Result<()> {
        self.raw(&format!("{text}\n"))
    }

    /// Something a person may want to know; lost where standard error is closed.
    pub(crate) fn note(&self, text: &str) {
        // Nobody is left to tell where this fails. Much of what is said here came from elsewhere.
        let _ = writeln!(io::stderr().lock(), "{}", plain::lines(text));
    }

    /// A question to the person at the terminal, without an end of line.
    pub(crate) fn prompt(&self, text: &str) {
        let mut err = io::stderr().lock();
        // Nobody is left to ask where this fails.
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    /// A warning, of ours or of the daemon's.
    pub(crate) fn warning(&self, text: &str) {
        self.note(&format!("WARNING: {text}"));
    }

    /// An error and its next step.
    pub(crate) fn failure(&self, error: &Error) {
        if matches!(error, Error::OutputClosed | Error::Interrupted) {
            return;
        }
        self.note(&format!("davit: {error}"));
        if let Some(hint) = error.hint() {
            self.note(&format!("  {hint}"));
        }
    }
}
