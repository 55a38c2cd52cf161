//! Lifecycle policy that adjusts what it was not granted, and hands out secrets that are not its own.

use crate::{behave, only_well, unknown};
use davit_plugin_sdk::lifecycle::{
    Adjustment, Admit, AfterExit, BeforeStart, Event, Mutate, Observe, Operation, Result,
};
use std::hint::black_box;

struct Policy;

const TEAM: &str = "/labels/team";
const SECRET: &str = "vault-token";
const READ_ONLY: u32 = 0o400;

/// Fields that were not granted, however near they are to the one that was.
const NOT_GRANTED: [&str; 12] = [
    "",
    "/",
    "/privileged",
    "/mounts",
    "/labels",
    "/labels/",
    "/labels/other",
    "/labels/team/",
    "/labels/team/deeper",
    "/labels/../privileged",
    "/secret_files",
    "/secret_files/~1run~1key",
];
const NO_FILES: [&str; 6] = ["", "/", "run/key", "/run/../etc/shadow", "/run//key", "/a\0b"];

fn insist(adjustment: &Adjustment) {
    for path in NOT_GRANTED {
        drop(adjustment.set(path, "true"));
    }
    for at in NO_FILES {
        drop(adjustment.secret_file(SECRET, at, READ_ONLY, None));
    }
    drop(adjustment.secret_file("root-password", "/run/key", READ_ONLY, None));
}

impl Mutate for Policy {
    fn mutate(operation: &Operation, adjustment: &Adjustment) -> Result<()> {
        let well = || {
            adjustment.set(TEAM, "\"web\"")?;
            adjustment.secret_file(SECRET, "/run/key", READ_ONLY, None)
        };
        let secret_file = |at, mode| adjustment.secret_file(SECRET, at, mode, None);
        behave(|name| match name {
            "behave" => well(),
            "undeterred-adjustment" => {
                insist(adjustment);
                well()
            }
            "many-copies" => {
                let request = operation.field("").unwrap_or_default();
                black_box((0..40).map(|_| request.clone()).collect::<Vec<_>>().len());
                well()
            }
            "adjust-privileges" => adjustment.set("/privileged", "true"),
            "adjust-mounts" => adjustment.set("/mounts", r#"[{"source":"/","target":"/host"}]"#),
            "adjust-everything" => adjustment.set("", "{}"),
            "adjust-all-labels" => adjustment.set("/labels", "{}"),
            "adjust-another-label" => adjustment.set("/labels/other", "\"web\""),
            "adjust-beneath-a-label" => adjustment.set("/labels/team/deeper", "1"),
            "adjust-no-json" => adjustment.set(TEAM, "{"),
            "adjust-deep-json" => adjustment.set(TEAM, &"[".repeat(1 << 20)),
            "oversized-adjustment" => adjustment.set(TEAM, &format!("\"{}\"", "x".repeat(2 << 20))),
            "million-adjustments" => (0..1_000_000).try_for_each(|_| adjustment.set(TEAM, "1")),
            "secret-by-adjustment" => adjustment.set("/secret_files/~1run~1key", r#"{"secret":"vault-token"}"#),
            "secret-file-not-granted" => adjustment.secret_file("root-password", "/run/key", READ_ONLY, None),
            "secret-file-relative" => secret_file("run/key", READ_ONLY),
            "secret-file-above" => secret_file("/run/../etc/shadow", READ_ONLY),
            "secret-file-setuid" => secret_file("/run/key", 0o4755),
            other => unknown(other),
        })
    }
}

impl Admit for Policy {
    fn admit(_: &Operation) -> Result<()> {
        behave(only_well(()))
    }
}

impl BeforeStart for Policy {
    fn before_start(_: &Operation) -> Result<()> {
        behave(only_well(()))
    }
}

impl AfterExit for Policy {
    fn after_exit(_: &Operation, _: i32) -> Result<()> {
        behave(only_well(()))
    }
}

impl Observe for Policy {
    fn observe(_: &Event) -> Result<()> {
        behave(only_well(()))
    }
}

davit_plugin_sdk::export!(lifecycle: Policy, mutate, admit, before_start, after_exit, observe);
