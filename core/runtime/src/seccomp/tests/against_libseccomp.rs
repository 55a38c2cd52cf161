//! The same profile through our emitter and through libseccomp, both programs interpreted over every number and over
//! arguments around every value that the profile compares with.

use super::{compiled, default_with};
use crate::seccomp::{
    Facts,
    arch::{Arch, Table, X32_BIT},
    compile, parse_profile,
};
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction as Action};
use proptest::prelude::*;
use std::{
    collections::BTreeSet,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

const ENOSYS: u32 = 0x0005_0000 | 38;

/// What a filter sees.
struct Call {
    nr: u32,
    audit: u32,
    args: [u64; 6],
}

/// One instruction: code, distances where true and where false, operand.
type Instruction = (u16, usize, usize, u32);

fn decoded(program: &[u8]) -> Vec<Instruction> {
    let one = |i: &[u8]| {
        let k = u32::from_ne_bytes(i[4..8].try_into().unwrap());
        (u16::from_ne_bytes([i[0], i[1]]), usize::from(i[2]), usize::from(i[3]), k)
    };
    program.chunks_exact(8).map(one).collect()
}

/// Classic BPF, as far as filters use it.
fn interpret(code: &[Instruction], call: &Call) -> u32 {
    let (mut at, mut a) = (0, 0_u32);
    loop {
        let (op, jt, jf, k) = code[at];
        at += 1;
        match op {
            0x20 => {
                a = match k {
                    0 => call.nr,
                    4 => call.audit,
                    16.. if k % 4 == 0 => {
                        let word = call.args[(k as usize - 16) / 8];
                        u32::try_from(if k % 8 == 0 { word & 0xffff_ffff } else { word >> 32 }).unwrap()
                    }
                    _ => panic!("load from {k}"),
                }
            }
            0x54 => a &= k,
            0x05 => at += k as usize,
            0x15 => at += if a == k { jt } else { jf },
            0x25 => at += if a > k { jt } else { jf },
            0x35 => at += if a >= k { jt } else { jf },
            0x06 => return k,
            _ => panic!("instruction {op:#x}"),
        }
    }
}

fn raw(action: Action, errno: Option<u32>) -> u32 {
    match action {
        Action::ScmpActErrno => 0x0005_0000 | errno.unwrap_or(1),
        Action::ScmpActAllow => 0x7fff_0000,
        Action::ScmpActLog => 0x7ffc_0000,
        Action::ScmpActKillProcess => 0x8000_0000,
        other => panic!("{other:?} is not in these tests"),
    }
}

/// libseccomp's program, and what it does not know, as `token name`.
fn theirs(tool: &Path, profile: &LinuxSeccomp) -> (Vec<u8>, BTreeSet<String>) {
    let default = raw(profile.default_action(), profile.default_errno_ret());
    let mut text = format!("default {default}\n");
    for arch in profile.architectures().iter().flatten() {
        text += &format!("arch {}\n", *arch as u32);
    }
    for rule in profile.syscalls().iter().flatten() {
        let then = raw(rule.action(), rule.errno_ret());
        if then == default {
            continue;
        }
        let args = rule.args().as_deref().unwrap_or_default();
        for name in rule.names() {
            text += &format!("rule {then} {name} {}", args.len());
            for arg in args {
                text +=
                    &format!(" {} {} {} {}", arg.index(), arg.op() as u32, arg.value(), arg.value_two().unwrap_or(0));
            }
            text.push('\n');
        }
    }
    let mut child = Command::new(tool);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let told = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{:?} {told}\n{text}", done.status);
    (done.stdout, told.lines().map(str::to_owned).collect())
}

/// Argument values worth trying: around all that the profile compares with, with and without upper halves.
fn values(profile: &LinuxSeccomp) -> Vec<u64> {
    let mut out = BTreeSet::from([0, 1, u64::MAX, 0xffff_ffff, 0x1_0000_0000]);
    for arg in profile.syscalls().iter().flatten().flat_map(|r| r.args().iter().flatten()) {
        for value in [arg.value(), arg.value_two().unwrap_or(0)] {
            out.extend([
                value,
                value.wrapping_sub(1),
                value.wrapping_add(1),
                value | 0x7_0000_0000,
                value & 0xffff_ffff,
                value >> 1,
            ]);
        }
    }
    out.into_iter().collect()
}

fn compare(tool: &Path, profile: &LinuxSeccomp) -> usize {
    let ours = decoded(compile(profile).unwrap().bytes());
    let (their, unknown) = theirs(tool, profile);
    let their = decoded(&their);
    let default = raw(profile.default_action(), profile.default_errno_ret());
    let table = Table::load();
    let values = values(profile);
    let mut compared = 0;
    for token in profile.architectures().iter().flatten() {
        let arch = Arch::from_oci(*token).unwrap();
        let prefix = format!("{} ", *token as u32);
        let skip: BTreeSet<u32> =
            unknown.iter().filter_map(|line| table.number(line.strip_prefix(&prefix)?, arch)).collect();
        let base = if arch == Arch::X32 { X32_BIT } else { 0 };
        for nr in (base..base + 520).filter(|nr| !skip.contains(nr)) {
            for value in &values {
                for index in 0..2 {
                    let mut args = [0; 6];
                    // A 32-bit program's arguments have no upper halves.
                    args[index] = if arch == Arch::X86 { value & 0xffff_ffff } else { *value };
                    let call = Call { nr, audit: arch.audit(), args };
                    let (our, their) = (interpret(&ours, &call), interpret(&their, &call));
                    compared += 1;
                    // A multiplexer's sub-call whose rule has arguments: libseccomp widens it, we do not (see `rules`).
                    let widened = arch == Arch::X86 && nr == 102 && args[0] == 1;
                    // Newer than the profile: ours on top, as runc has it on top of libseccomp.
                    let newer = our == ENOSYS && their == default;
                    assert!(
                        our == their || newer || widened,
                        "{arch:?} {nr} {args:x?}: ours {our:#x}, libseccomp's {their:#x}"
                    );
                }
            }
        }
    }
    compared
}

fn tool(dir: &Path) -> Option<std::path::PathBuf> {
    compiled(include_str!("libseccomp.c"), dir, "libseccomp", &["-lseccomp"])
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_default_profile_is_libseccomps_filter() {
    let dir = tempfile::tempdir().unwrap();
    let Some(tool) = tool(dir.path()) else { return };
    for more in
        [&[][..], &["CAP_SYS_ADMIN"], &["CAP_SYS_PTRACE", "CAP_SYS_TIME", "CAP_SYSLOG", "CAP_BPF", "CAP_PERFMON"]]
    {
        assert!(compare(&tool, &default_with(more)) > 50_000);
    }
    let caps = super::caps(&[]);
    let docker = parse_profile(include_str!("../data/moby-default.json"), &Facts { caps: &caps, kernel: (6, 1) });
    compare(&tool, &docker.unwrap().unwrap());
}

/// Rules as people write them; one action for each call, as what libseccomp does with several is its own.
fn profiles() -> impl Strategy<Value = String> {
    let value =
        prop_oneof![Just(0_u64), 1_u64..40, Just(0xffff_ffff), Just(0x1_0000_0005), Just(0x8000_0000_0000_0001)];
    let op = prop_oneof![Just("NE"), Just("LT"), Just("LE"), Just("EQ"), Just("GE"), Just("GT"), Just("MASKED_EQ")];
    let arg = (0..2_u8, value.clone(), value, op).prop_map(|(index, value, two, op)| {
        let two = if op == "MASKED_EQ" { two & value } else { 0 };
        format!(r#"{{"index":{index},"value":{value},"valueTwo":{two},"op":"SCMP_CMP_{op}"}}"#)
    });
    let rule = (prop::option::of(arg), 0..2_u8).prop_map(|(arg, again)| (arg, again));
    let names = prop::sample::subsequence(
        vec!["read", "mount", "clone", "personality", "kill", "dup3", "ioctl", "prctl", "statx"],
        1..9,
    );
    (names, prop::collection::vec(rule, 9), any::<bool>(), any::<bool>()).prop_map(|(names, rules, allow, x32)| {
        let (default, then) = if allow { ("ALLOW", "ERRNO") } else { ("ERRNO", "ALLOW") };
        let mut out = Vec::new();
        for (name, (arg, again)) in names.iter().zip(rules) {
            let arg = arg.unwrap_or_default();
            out.push(format!(r#"{{"names":["{name}"],"action":"SCMP_ACT_{then}","errnoRet":13,"args":[{arg}]}}"#));
            if again == 1 {
                let more = r#"{"index":1,"value":77,"op":"SCMP_CMP_EQ"}"#;
                out.push(format!(r#"{{"names":["{name}"],"action":"SCMP_ACT_{then}","errnoRet":13,"args":[{more}]}}"#));
            }
        }
        let sub = if x32 { r#","SCMP_ARCH_X32""# } else { "" };
        format!(
            r#"{{"defaultAction":"SCMP_ACT_{default}","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86"{sub}],"syscalls":[{}]}}"#,
            out.join(",")
        )
    })
}

#[cfg(target_arch = "x86_64")]
#[test]
fn any_profile_is_libseccomps_filter() {
    let dir = tempfile::tempdir().unwrap();
    let Some(tool) = tool(dir.path()) else { return };
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 16, ..ProptestConfig::default() });
    let caps = BTreeSet::new();
    runner
        .run(&profiles(), |json| {
            let profile = parse_profile(&json, &Facts { caps: &caps, kernel: (6, 1) }).unwrap().unwrap();
            prop_assert!(compare(&tool, &profile) > 1000);
            Ok(())
        })
        .unwrap();
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_foreign_architecture_is_killed() {
    let profile = default_with(&[]);
    let program = compile(&profile).unwrap();
    let call = Call { nr: 0, audit: Arch::Aarch64.audit(), args: [0; 6] };
    assert_eq!(interpret(&decoded(program.bytes()), &call), 0);
    let json = r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#;
    let caps = BTreeSet::new();
    let native = parse_profile(json, &Facts { caps: &caps, kernel: (6, 1) }).unwrap().unwrap();
    let program = compile(&native).unwrap();
    for (audit, nr, want) in
        [(Arch::X86.audit(), 20, 0), (Arch::X86_64.audit(), X32_BIT | 39, 0), (Arch::X86_64.audit(), 39, 0x7fff_0000)]
    {
        assert_eq!(interpret(&decoded(program.bytes()), &Call { nr, audit, args: [0; 6] }), want);
    }
}
