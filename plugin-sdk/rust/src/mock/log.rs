//! Lines for the plugin's own log, which [`super::Site::lines`] answers.

use super::site::around;

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// For the author.
    Debug,
    /// For the operator.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

/// Writes one line.
pub fn write(level: Level, message: &str) {
    around(|site| site.lines.push((level, message.to_owned())));
}
