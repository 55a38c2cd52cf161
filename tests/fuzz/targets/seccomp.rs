//! Seccomp profiles, as `--security-opt seccomp=FILE` sends them: what compiles is a program that the kernel would look at.
#![no_main]

use davit_runtime::seccomp::{Facts, compile, parse_profile};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;

fuzz_target!(|text: &str| {
    let caps = BTreeSet::from(["CAP_SYS_ADMIN".to_owned()]);
    let Ok(Some(profile)) = parse_profile(text, &Facts { caps: &caps, kernel: (6, 1) }) else { return };
    if let Ok(program) = compile(&profile) {
        let length = program.bytes().len();
        assert!(length > 0 && length.is_multiple_of(8) && length <= 4096 * 8);
    }
});
