//! Dockerfiles, as anybody who may build sends them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match davit_build::check_syntax(text) {
        Ok(instructions) => assert!(instructions > 0),
        Err((line, error)) => {
            assert!(line >= 1 && line <= text.split('\n').count() + 1, "line {line} of {text:?}");
            assert!(!error.to_string().is_empty());
        }
    }
});
