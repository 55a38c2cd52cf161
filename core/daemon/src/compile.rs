//! This program in another role: a child that compiles one component and ends. Compilers have bugs and a component is
//! input, so it happens outside the daemon.

use std::process::ExitCode;

/// The argument that asks for it.
pub(crate) const WORD: &str = "compile-plugin";

/// Compiles standard input to standard output where this process was started for that.
pub(crate) fn child() -> Option<ExitCode> {
    if std::env::args_os().nth(1).is_none_or(|word| word != WORD) {
        return None;
    }
    match davit_plugin_host::compile_stdin() {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(why) => {
            use std::io::Write as _;
            // The daemon reads it; where it is gone, nobody has to know.
            let _ = writeln!(std::io::stderr(), "{why}");
            Some(ExitCode::FAILURE)
        }
    }
}
