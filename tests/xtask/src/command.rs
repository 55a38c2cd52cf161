//! Running commands so that people see what is done and what to do when it fails.

use anyhow::{Context, Result, bail};
use std::{
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Prints a step.
pub(crate) fn step(text: &str) {
    eprintln!("==> {text}");
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|a| a.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Without what cargo told this program about itself: a cargo that is run from here would take it for a change of the
/// environment and compile again (ring and all that stands on it) what a cargo of the user's own has compiled.
fn alone(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let of_this_package = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        if of_this_package.iter().any(|start| name.starts_with(start)) {
            command.env_remove(&*name);
        }
    }
    command
}

/// Runs a command with the terminal's own streams; anything but success is an error with `hint`.
pub(crate) fn run(command: &mut Command, hint: &str) -> Result<()> {
    eprintln!("    $ {}", shown(command));
    let status = alone(command).status().with_context(|| format!("cannot start {}: {hint}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}: {hint}", shown(command));
    }
    Ok(())
}

/// Runs a command and answers its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let out =
        alone(command).stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {}", shown(command)))?;
    if !out.status.success() {
        bail!("{} ended with {}", shown(command), out.status);
    }
    String::from_utf8(out.stdout).with_context(|| format!("{} did not answer in UTF-8", shown(command)))
}

/// Runs a command for at most `limit`; none when it had to be ended.
pub(crate) fn run_for(command: &mut Command, limit: Duration) -> Result<Option<ExitStatus>> {
    eprintln!("    $ {} (at most {} s)", shown(command), limit.as_secs());
    let mut child: Child = alone(command).spawn().with_context(|| format!("cannot start {}", shown(command)))?;
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
