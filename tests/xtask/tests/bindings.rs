//! The bindings that authors in C and Go get, and the pages of the contract, are those of today's contract.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn the_checked_in_bindings_are_those_of_todays_contract() {
    if let Err(why) = Command::new("gofmt").arg("-h").output() {
        println!("skipped: gofmt, which the Go bindings are formatted with, cannot be run here: {why}");
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["bindings", "--check"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
