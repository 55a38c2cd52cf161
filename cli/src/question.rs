//! A question that a person at a terminal answers with yes or no.

use crate::error::{Error, Result};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

/// Asks. Nobody can be asked without a terminal: then the error names the flag that says yes.
pub(crate) fn yes(question: &str, flag: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(Error::usage(format!("{question} Nobody can be asked without a terminal: say {flag}")));
    }
    let ask = || {
        let mut err = io::stderr();
        write!(err, "{question} [y/N] ").and_then(|()| err.flush())?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map(|_| answer)
    };
    let answer = ask().map_err(Error::io("read", "the answer"))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
