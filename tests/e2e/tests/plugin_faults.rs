//! `davit plugin test` finds what is wrong with a plugin: each fault by the name of the check that it fails, and in a plugin
//! that has it and no other. Without this, a suite that passes says nothing.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{Done, run};
use davit_fixtures::daemon::programs;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What `behave` says in a guest's section, a check that must fail for it, and what is said there.
type Fault = (&'static str, &'static str, &'static str);

const KINDS: &[Fault] = &[
    // A failure of its own, whatever else it can do.
    ("fail", "lifecycle: every operation is permitted or refused", "admit: internal: always broken"),
    ("fail", "lifecycle: what it changes makes a request that the core takes", "mutate: internal: always broken"),
    ("fail", "lifecycle: events are taken where observe is exported", "observe: internal: always broken"),
    ("fail", "lifecycle: before-start and after-exit answer where they are exported", "before-start: internal"),
    ("fail", "registry-auth: every challenge gets an answer or a refusal", "authenticate: internal: always broken"),
    ("fail", "registry-auth: mirrors are named where resolver is exported", "resolve: internal: always broken"),
    ("fail", "registry-auth: a manifest is judged where verifier is exported", "verify: internal: always broken"),
    (
        "fail",
        "storage: probe answers where every feature is there, and where none is",
        "probe: internal: always broken",
    ),
    ("fail", "storage: layers, roots and removals are plans that the core takes", "prepare-layer: internal"),
    ("fail-otherwise", "lifecycle: every operation is permitted or refused", "admit: something is the matter"),
    // Refusals alone.
    ("refuse", "lifecycle: every operation is permitted or refused", "admit refuses everything: all of 12"),
    ("refuse", "lifecycle: what it changes makes a request that the core takes", "mutate refuses everything"),
    ("refuse", "registry-auth: every challenge gets an answer or a refusal", "authenticate refuses everything"),
    ("refuse", "registry-auth: mirrors are named where resolver is exported", "resolve refuses everything"),
    ("refuse", "storage: layers, roots and removals are plans that the core takes", "denied: not today"),
    // Another answer to the same request: an error, and a plan.
    ("unsteady", "lifecycle: every operation is permitted or refused", "the same request got two answers"),
    ("another-plan-each-time", "storage: layers, roots and removals", "the same request got two answers"),
    // Traps, some of which only a bad day shows.
    ("panic", "lifecycle: every operation is permitted or refused", "it panicked"),
    ("panic", "storage: what cannot be is answered, not trapped on", "it panicked"),
    ("panic", "registry-auth: the largest requests stay within its limits", "it panicked"),
    ("panic-where-the-host-fails", "lifecycle: without its grants it answers", "it panicked"),
    ("panic-where-the-host-fails", "lifecycle: where the host's services fail it answers", "it panicked"),
    ("panic-where-the-host-fails", "registry-auth: where the host's services fail it answers", "it panicked"),
    ("panic-where-the-host-fails", "storage: where the host's services fail it answers", "it panicked"),
    // Past its limits: at every request, with a large one, with a plan, with an answer.
    ("allocate", "lifecycle: every operation is permitted or refused", "it went past its memory of 16 MiB"),
    ("many-copies", "lifecycle: the largest requests stay within its limits", "it went past its memory of 16 MiB"),
    ("million-steps", "storage: layers, roots and removals", "a plan has at most 10000 steps"),
    ("million-adjustments", "lifecycle: what it changes", "a call makes at most 1024 adjustments"),
    ("million-mirrors", "registry-auth: mirrors are named where resolver is exported", "at most 16 mirrors"),
    // Plans that the core does not take.
    ("place-above", "storage: layers, roots and removals", "\"../t-other\" is not one name"),
    ("place-of-another-layer", "storage: layers, roots and removals", "done is there already"),
    ("no-root", "storage: layers, roots and removals", "its plan says nothing of what the root is"),
    ("no-answer", "registry-auth: every challenge gets an answer", "its plan says nothing of how to answer"),
];

const NETWORK: &[Fault] = &[
    ("fail", "network: a network is a plan that the core takes", "plan-network: internal: always broken"),
    ("refuse", "network: a network is a plan that the core takes", "denied: not today"),
    ("unsteady", "network: a network is a plan that the core takes", "the same request got two answers"),
    ("panic", "network: a network is a plan that the core takes", "it panicked"),
    ("endless-loop", "network: a network is a plan that the core takes", "no answer within its deadline of 500 ms"),
    ("million-steps", "network: a network is a plan that the core takes", "a plan has at most 64 links"),
    ("panic-where-the-host-fails", "network: where the host's services fail it answers", "it panicked"),
];

fn guest(name: &str) -> Result<PathBuf> {
    let guests = programs().parent().context("programs lie in a folder")?.join("plugins/guests");
    let path = guests.join(format!("{name}.wasm"));
    ensure!(path.is_file(), "{} is not there: cargo xtask guests", path.display());
    Ok(path)
}

/// The suite, over a plugin that behaves so.
fn tested(guest: &Path, behave: &str) -> Result<Done> {
    let dir = tempfile::tempdir()?;
    let section = dir.path().join("section.toml");
    fs::write(&section, format!("behave = {behave:?}\notherwise = \"behave\"\n"))?;
    let mut davit = Command::new(programs().join("davit"));
    davit.args(["plugin", "test", "--requests", "12", "--config"]).arg(&section).arg(guest);
    run(davit, None)
}

/// Whether a check of that name failed, with this in its reason.
fn fails(done: &Done, check: &str, why: &str) -> bool {
    let mut lines = done.stdout.lines();
    let failed = |line: &str| line.strip_prefix("FAIL  ").is_some_and(|name| name.starts_with(check));
    lines.any(failed) && lines.next().is_some_and(|line| line.contains(why))
}

fn found(guest: &Path, faults: &[Fault]) -> Result<()> {
    let mut last: Option<(&str, Done)> = None;
    for (behave, check, why) in faults {
        let done = match last.take() {
            Some((same, done)) if same == *behave => done,
            _ => tested(guest, behave)?,
        };
        ensure!(
            done.code == 1 && !done.stdout.contains(" 0 failed"),
            "{behave} passes: {}{}",
            done.stdout,
            done.stderr
        );
        ensure!(
            fails(&done, check, why),
            "{behave} does not fail {check:?} with {why:?}: {}{}",
            done.stdout,
            done.stderr
        );
        last = Some((behave, done));
    }
    Ok(())
}

#[test]
fn each_fault_of_a_storage_auth_or_lifecycle_plugin_fails_a_check_by_name() -> Result<()> {
    found(&guest("misbehaving-kinds")?, KINDS)
}

#[test]
fn each_fault_of_a_network_driver_fails_a_check_by_name() -> Result<()> {
    found(&guest("misbehaving")?, NETWORK)
}

#[test]
fn the_same_plugins_pass_where_they_behave() -> Result<()> {
    for name in ["misbehaving-kinds", "misbehaving"] {
        let done = tested(&guest(name)?, "behave")?;
        ensure!(done.code == 0 && done.stdout.contains(" 0 failed"), "{name}: {}{}", done.stdout, done.stderr);
    }
    Ok(())
}

#[test]
fn who_cannot_work_without_a_configuration_is_told_how_to_give_one() -> Result<()> {
    const CASES: [(&str, &str, &str); 3] = [
        ("audit", "lifecycle: events are taken where observe is exported", "observe refuses everything: all of 12"),
        ("macvlan", "network: a network is a plan that the core takes", "plan-network: invalid: parent is not said"),
        ("token-exchange", "registry-auth: every challenge gets an answer or a refusal", "it calls each invalid"),
    ];
    for (name, check, why) in CASES {
        let mut davit = Command::new(programs().join("davit"));
        davit.args(["plugin", "test", "--requests", "12"]).arg(programs().join(format!("plugins/{name}.wasm")));
        let done = run(davit, None)?;
        ensure!(done.code == 1, "{name} passes: {}", done.stdout);
        for said in [why, "it read its configuration, and was given none", "--config FILE"] {
            ensure!(fails(&done, check, said), "{name} does not say {said:?}: {}", done.stdout);
        }
    }
    Ok(())
}
