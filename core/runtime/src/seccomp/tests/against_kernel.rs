//! The filter loaded for real, with one call for each class of rule, by a 64-bit, an x32 and an i386 program.
//!
//! The calls are chosen so that the kernel, asked as root, answers differently from the filter.

use super::{CAPS, caps, compiled, default_with};
use crate::seccomp::{Facts, compile, default_profile, parse_profile};
use oci_spec::runtime::LinuxSeccomp;
use std::process::Command;

const PROBE: &str = include_str!("probe.c");
const EPERM: i32 = 1;
const ESRCH: i32 = 3;
const EFAULT: i32 = 14;
const EINVAL: i32 = 22;
const ENOSYS: i32 = 38;

/// What each call answers; none where such a program cannot be built or run here.
fn answers(profile: &LinuxSeccomp, option: &str, calls: &[(&str, i32)]) -> Option<Vec<i32>> {
    let dir = tempfile::tempdir().unwrap();
    let probe = compiled(PROBE, dir.path(), "probe", &[option, "-static"])?;
    let filter = dir.path().join("filter");
    std::fs::write(&filter, compile(profile).unwrap().bytes()).unwrap();
    let ran = Command::new(probe).arg(filter).args(calls.iter().map(|c| c.0)).output();
    let ran = match ran {
        Ok(ran) => ran,
        Err(e) => {
            eprintln!("skipped: {option} programs do not run here: {e}");
            return None;
        }
    };
    assert!(ran.status.success(), "{:?} {}", ran.status, String::from_utf8_lossy(&ran.stderr));
    Some(String::from_utf8(ran.stdout).unwrap().lines().map(|l| l.parse().unwrap()).collect())
}

fn assert_answers(profile: &LinuxSeccomp, option: &str, calls: &[(&str, i32)]) {
    let Some(got) = answers(profile, option, calls) else { return };
    let got: Vec<_> = calls.iter().zip(got).map(|((call, _), got)| (*call, got)).collect();
    assert_eq!(got, calls, "{option}");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn each_class_of_rule_answers_in_a_64_bit_program() {
    assert_answers(
        &default_with(&[]),
        "-m64",
        &[
            ("39", 0),                     // getpid: allowed
            ("165", EPERM),                // mount: the default
            ("250,0,-3", EPERM),           // keyctl
            ("272,0x10000000", EPERM),     // unshare
            ("321", EPERM),                // bpf: wants a capability
            ("304", EPERM),                // open_by_handle_at: wants another
            ("161,0", EFAULT),             // chroot: wants one that is there
            ("435,0,0", ENOSYS),           // clone3: an errno of its own
            ("101,1,0", ESRCH),            // ptrace: the kernel is new enough
            ("135,0xffffffff", 0),         // personality: one of the values
            ("135,5", EPERM),              // personality: none of them
            ("41,1,1,0", 0),               // socket: a family that is allowed
            ("41,38,5,0", EPERM),          // AF_ALG
            ("41,40,1,0", EPERM),          // AF_VSOCK
            ("41,0x100000026,5,0", EPERM), // AF_ALG, with a bit that the kernel does not look at
            ("56,0x10000000", EPERM),      // clone: a masked flag (CLONE_NEWUSER)
            ("56,0x800", EINVAL),          // clone: no masked flag
            ("600", ENOSYS),               // newer than the profile
            ("0x400000a5", EPERM),         // mount, as x32
            ("0x400001ff", EPERM),         // not in x32's table, within its range
        ],
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn capabilities_and_kernel_open_what_they_are_for() {
    let admin = default_with(&["CAP_SYS_ADMIN", "CAP_BPF", "CAP_DAC_READ_SEARCH"]);
    assert_answers(
        &admin,
        "-m64",
        &[("165", EFAULT), ("321,999", EINVAL), ("304,-100,0,0", EFAULT), ("435,0,0", EINVAL), ("250,0,-3", EPERM)],
    );
    let old = default_profile(&Facts { caps: &caps(&[]), kernel: (4, 7) }).unwrap();
    assert_answers(&old, "-m64", &[("101,1,0", EPERM)]);
    let bare = default_profile(&Facts { caps: &std::collections::BTreeSet::new(), kernel: (6, 1) }).unwrap();
    assert_answers(&bare, "-m64", &[("161,0", EPERM)]);
    assert!(CAPS.contains(&"CAP_SYS_CHROOT"));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn each_class_of_rule_answers_in_an_i386_program() {
    assert_answers(
        &default_with(&[]),
        "-m32",
        &[
            ("20", 0),                 // getpid
            ("21", EPERM),             // mount
            ("288,0,-3", EPERM),       // keyctl
            ("310,0x10000000", EPERM), // unshare
            ("435,0,0", ENOSYS),       // clone3
            ("136,5", EPERM),          // personality
            ("136,0xffffffff", 0),
            ("359,1,1,0", 0),      // socket
            ("359,38,5,0", EPERM), // AF_ALG
            ("102,1,0", EPERM),    // socketcall: making a socket, of whatever family
            ("102,2,0", EFAULT),   // socketcall: bind
            ("600", ENOSYS),
        ],
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn dockers_own_file_allows_socketcall_and_a_family_that_is_forbidden_is_forbidden_there_too() {
    let caps = caps(&[]);
    let facts = Facts { caps: &caps, kernel: (6, 1) };
    let docker = parse_profile(include_str!("../data/moby-default.json"), &facts).unwrap().unwrap();
    assert_answers(&docker, "-m32", &[("102,1,0", EFAULT), ("359,38,5,0", EPERM)]);

    let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86"],
        "syscalls":[{"names":["socket"],"action":"SCMP_ACT_ERRNO","errnoRet":97,"args":[{"index":0,"value":38,"op":"SCMP_CMP_EQ"}]}]}"#;
    let deny = parse_profile(json, &facts).unwrap().unwrap();
    assert_answers(&deny, "-m32", &[("359,38,5,0", 97), ("359,1,1,0", 0), ("102,1,0", 97), ("102,2,0", EFAULT)]);
}
