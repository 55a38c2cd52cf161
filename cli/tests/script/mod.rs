//! Programs of a test's own, as shell scripts.

#![allow(clippy::unwrap_used, reason = "a harness fails by panic")]

use std::{path::Path, process::Command};

/// Written by a process of its own: a program that another test starts would inherit a descriptor that writes to it, and
/// what is written to cannot be run (ETXTBSY).
pub fn write(path: &Path, text: &str) {
    let write = r#"printf '%s\n' "$1" > "$0" && chmod 755 "$0""#;
    let status = Command::new("sh").args(["-c", write]).arg(path).arg(format!("#!/bin/sh\n{text}")).status();
    assert!(status.unwrap().success(), "{} was not written", path.display());
}
