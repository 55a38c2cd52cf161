//! This program in another role: the host process of plugins, or a child that compiles one component and ends. Compilers
//! have bugs, a component is input: both confine themselves first, and neither is the daemon.

use davit_plugin_host::{CompilerProgram, apart};
use std::process::ExitCode;

/// The arguments that ask for them.
const COMPILE: &str = "compile-plugin";
const HOST: &str = "plugin-host";

/// How the daemon starts them.
pub(crate) fn programs() -> apart::HostProgram {
    let program = std::path::PathBuf::from("/proc/self/exe");
    apart::HostProgram {
        program: program.clone(),
        arguments: vec![HOST.into()],
        compiler: CompilerProgram { program, arguments: vec![COMPILE.into()] },
    }
}

/// Plays the role that this process was started for; none where it is the daemon.
pub(crate) fn child() -> Option<ExitCode> {
    let word = std::env::args_os().nth(1)?;
    let played = match word.to_str() {
        Some(COMPILE) => {
            apart::confine_compiler().and_then(|ended| if ended { Ok(()) } else { davit_plugin_host::compile_stdin() })
        }
        Some(HOST) => apart::serve_stdin(),
        _ => return None,
    };
    Some(match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            use std::io::Write as _;
            // The daemon reads it; where it is gone, nobody has to know.
            let _ = writeln!(std::io::stderr(), "{why}");
            ExitCode::FAILURE
        }
    })
}
