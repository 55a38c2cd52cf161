//! Docker's form of profiles, what is refused, and the cache.

use super::{caps, default_with};
use crate::seccomp::{Cache, Facts, SeccompError, compile, parse_profile};
use std::os::unix::fs::PermissionsExt;

fn parse(json: &str) -> Result<Option<oci_spec::runtime::LinuxSeccomp>, SeccompError> {
    parse_profile(json, &Facts { caps: &caps(&[]), kernel: (6, 1) })
}

#[test]
fn an_empty_profile_means_no_filter() {
    assert!(parse("{}").unwrap().is_none());
    assert!(parse(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).unwrap().is_some());
    assert!(parse(r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":null,"architectures":null}"#).unwrap().is_some());
}

#[test]
fn conditions_include_and_exclude() {
    let names = |rule: &str| {
        let json = format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["x"],"action":"SCMP_ACT_ALLOW",{rule}}}]}}"#
        );
        parse(&json).unwrap().unwrap().syscalls().as_ref().unwrap().len()
    };
    let native = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    assert_eq!(names(r#""includes":{"caps":["CAP_CHOWN"]}"#), 1);
    assert_eq!(names(r#""includes":{"caps":["CAP_CHOWN","CAP_SYS_ADMIN"]}"#), 0);
    assert_eq!(names(r#""excludes":{"caps":["CAP_SYS_ADMIN","CAP_CHOWN"]}"#), 0);
    assert_eq!(names(r#""includes":{"minKernel":"6.1"},"excludes":{}"#), 1);
    assert_eq!(names(r#""includes":{"minKernel":"6.2"}"#), 0);
    assert_eq!(names(r#""includes":{"minKernel":"10.0"}"#), 0);
    assert_eq!(names(r#""excludes":{"minKernel":"5.19"}"#), 0);
    assert_eq!(names(&format!(r#""includes":{{"arches":["s390","{native}"]}}"#)), 1);
    assert_eq!(names(r#""includes":{"arches":["s390"]}"#), 0);
    assert_eq!(names(&format!(r#""excludes":{{"arches":["{native}"]}}"#)), 0);
}

#[test]
fn contradictions_are_refused() {
    for (json, part) in [
        ("[]", "decode seccomp profile"),
        (r#"{"defaultAction":"SCMP_ACT_MAYBE"}"#, "decode seccomp profile"),
        (r#"{"syscalls":[{"name":"x","action":"SCMP_ACT_ALLOW"}]}"#, "no defaultAction"),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"x","names":["y"],"action":"SCMP_ACT_ALLOW"}]}"#,
            "both name and names",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86"],"archMap":[{"architecture":"SCMP_ARCH_X86_64"}]}"#,
            "both architectures and archMap",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"x","action":"SCMP_ACT_ALLOW","includes":{"minKernel":"six"}}]}"#,
            "invalid kernel version",
        ),
    ] {
        let told = parse(json).unwrap_err().to_string();
        assert!(told.contains(part), "{json}: {told}");
    }
    for (rule, part) in [
        (r#""action":"SCMP_ACT_ALLOW","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]"#, "argument index 6"),
        (r#""action":"SCMP_ACT_ERRNO","errnoRet":65536"#, "errno 65536"),
        (r#""action":"SCMP_ACT_NOTIFY""#, "SCMP_ACT_NOTIFY"),
    ] {
        let json = format!(r#"{{"defaultAction":"SCMP_ACT_KILL","syscalls":[{{"names":["read"],{rule}}}]}}"#);
        let told = compile(&parse(&json).unwrap().unwrap()).unwrap_err().to_string();
        assert!(told.contains(part), "{json}: {told}");
    }
}

#[test]
fn the_cache_answers_with_what_was_compiled_and_with_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("seccomp");
    let cache = Cache::open(&place).unwrap();
    let files = || std::fs::read_dir(&place).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>();
    let profile = default_with(&[]);
    let first = cache.program(&profile).unwrap();
    assert_eq!(first, compile(&profile).unwrap());
    assert_eq!(files().len(), 1);
    assert_eq!(cache.program(&profile).unwrap(), first);
    assert_eq!(
        cache.program(&default_with(&["CAP_SYS_ADMIN"])).unwrap(),
        compile(&default_with(&["CAP_SYS_ADMIN"])).unwrap()
    );
    assert_eq!(files().len(), 2);

    // A file that was cut short or changed is no filter.
    for file in files() {
        let mut content = std::fs::read(&file).unwrap();
        *content.last_mut().unwrap() ^= 1;
        std::fs::write(&file, content).unwrap();
    }
    assert_eq!(cache.program(&profile).unwrap(), first);
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(Cache::open(&place), Err(SeccompError::Cache { operation: "trust", .. })));
}

#[test]
fn the_default_filter_is_small_and_quick() {
    let profile = default_with(&[]);
    let start = std::time::Instant::now();
    let program = compile(&profile).unwrap();
    println!("{} instructions in {:?}", program.bytes().len() / 8, start.elapsed());
    assert!(program.bytes().len() / 8 < 1500);
}
