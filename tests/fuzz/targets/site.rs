//! The site's file: refused whole with a reason, or taken; every plugin that a taken one uses has a name.
#![no_main]

use davit_engine::site::Site;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    match Site::parse(Path::new("site.toml"), text) {
        Ok(site) => assert!(!site.used().is_empty(), "there is always a storage driver"),
        Err(error) => assert!(!error.message().trim().is_empty()),
    }
});
