//! The user's terminal: raw mode that always ends, and its size.

use crate::error::{Error, Result};
use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use std::io::{self, IsTerminal};

/// Whether standard input is a terminal.
pub(crate) fn on_stdin() -> bool {
    io::stdin().is_terminal()
}

/// Rows and columns of the terminal on standard output.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// Standard input in raw mode: every key goes to the container. Dropping it puts the terminal back, on every way out
/// of the code that holds it.
pub(crate) struct Raw {
    before: Termios,
}

impl Raw {
    /// None where standard input is no terminal.
    pub(crate) fn enter() -> Result<Option<Self>> {
        if !on_stdin() {
            return Ok(None);
        }
        let stdin = io::stdin();
        let failed = |errno: rustix::io::Errno| Error::io("set mode of", "the terminal")(errno.into());
        let before = termios::tcgetattr(&stdin).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        termios::tcsetattr(&stdin, OptionalActions::Now, &raw).map_err(failed)?;
        Ok(Some(Self { before }))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that has gone needs no mode.
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// The terminal without echo, for a password. Dropping it puts the echo back.
pub(crate) struct Quiet {
    before: Termios,
}

impl Quiet {
    pub(crate) fn enter() -> Result<Self> {
        let stdin = io::stdin();
        let failed = |errno: rustix::io::Errno| Error::io("set mode of", "the terminal")(errno.into());
        let before = termios::tcgetattr(&stdin).map_err(failed)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        termios::tcsetattr(&stdin, OptionalActions::Now, &quiet).map_err(failed)?;
        Ok(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that has gone needs no mode.
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
