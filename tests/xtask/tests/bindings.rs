//! The bindings that authors in C and Go get are those of today's contract.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn the_checked_in_bindings_are_those_of_todays_contract() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["bindings", "--check"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
