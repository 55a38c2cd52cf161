//! Against the real kernel: limits read back, a fork bomb that is held, memory that kills, nothing that stays.
//! Runs wherever cgroups can be made (here hybrid, in the guest pure v2); elsewhere each test says why it did not.

use super::{CgroupError, Group, Hierarchies, Mode, detect::Hierarchy, devices, file, v2};
use davit_sys::bpf::{self, Insn};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType, LinuxResources};
use proptest::prelude::*;
use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A group that is gone after the test, whatever happened in it.
struct Fixture {
    all: Hierarchies,
    group: Group,
}

impl Fixture {
    fn new(name: &str, resources: &str) -> Option<Self> {
        Self::attempt(name, resources).map(|made| made.unwrap())
    }

    fn attempt(name: &str, resources: &str) -> Option<Result<Self, CgroupError>> {
        Self::attempt_in(name, resources, |_| true)
    }

    /// In those hierarchies alone that are asked for.
    fn attempt_in(
        name: &str,
        resources: &str,
        wanted: impl Fn(&Hierarchy) -> bool,
    ) -> Option<Result<Self, CgroupError>> {
        let resources: LinuxResources = serde_json::from_str(resources).unwrap();
        let all = match Hierarchies::detect() {
            Ok(all) => Hierarchies(all.0.into_iter().filter(wanted).collect()),
            Err(e) => {
                eprintln!("skipped: {e}");
                return None;
            }
        };
        match all.create(&format!("/davit-test-{}-{name}", std::process::id()), &resources) {
            Err(CgroupError::Make { source, .. }) if source.kind() != std::io::ErrorKind::NotFound => {
                eprintln!("skipped: no cgroup can be made here: {source}");
                None
            }
            made => Some(made.map(|group| Self { all, group })),
        }
    }

    /// A shell that joins every hierarchy as a container's child does, then becomes `script`.
    fn run(&self, script: &str) -> Child {
        let path = |dir: i32, file: &str| format!("/proc/{}/fd/{dir}/{file}", std::process::id());
        let mut joins: Vec<String> = self.group.v1.iter().map(|p| path(p.dir.as_raw_fd(), "tasks")).collect();
        joins.extend(self.group.v2.iter().map(|d| path(d.as_raw_fd(), "cgroup.procs")));
        let script = format!("for t in \"$@\"; do echo 0 > \"$t\" || exit 99; done; {script}");
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg("sh").args(joins);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pid = child.id().to_string();
        let inside = |dir: &OwnedFd| file::read(dir.as_fd(), "cgroup.procs").unwrap().lines().any(|l| l == pid);
        until("it joined every hierarchy, or is through", || {
            self.group.v1.iter().map(|p| &p.dir).chain(&self.group.v2).all(inside)
                || child.try_wait().unwrap().is_some()
        });
        child
    }

    /// The value of whichever of the files exists.
    fn value(&self, v1: (&str, &str), v2: &str) -> String {
        match self.group.v1_dir(v1.0) {
            Some(dir) => file::read(dir, v1.1).unwrap(),
            None => file::read(self.group.v2.as_ref().unwrap().as_fd(), v2).unwrap(),
        }
        .trim()
        .to_owned()
    }

    fn v2_only(&self) -> bool {
        self.all.mode() == Mode::Unified
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.group.kill(PATIENCE).unwrap();
        self.all.remove(self.group.path(), PATIENCE).unwrap();
        self.all.remove(self.group.path(), PATIENCE).unwrap();
        assert!(self.all.open(self.group.path()).is_err(), "the group is gone from every hierarchy");
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn limits_are_what_was_asked_for() {
    let asked = r#"{"memory":{"limit":67108864,"swap":100663296,"reservation":33554432},
        "cpu":{"shares":1024,"quota":50000,"period":200000,"cpus":"0","mems":"0"},"pids":{"limit":32}}"#;
    let Some(f) = Fixture::new("limits", asked) else { return };
    assert_eq!(f.value(("memory", "memory.limit_in_bytes"), "memory.max"), "67108864");
    let swap = if f.v2_only() { "33554432" } else { "100663296" };
    assert_eq!(f.value(("memory", "memory.memsw.limit_in_bytes"), "memory.swap.max"), swap);
    assert_eq!(f.value(("memory", "memory.soft_limit_in_bytes"), "memory.low"), "33554432");
    assert_eq!(f.value(("cpu", "cpu.shares"), "cpu.weight"), if f.v2_only() { "100" } else { "1024" });
    assert_eq!(f.value(("cpu", "cpu.cfs_quota_us"), "cpu.max"), if f.v2_only() { "50000 200000" } else { "50000" });
    assert_eq!(f.value(("cpuset", "cpuset.cpus"), "cpuset.cpus"), "0");
    assert_eq!(f.value(("pids", "pids.max"), "pids.max"), "32");
    let stats = f.group.stats().unwrap();
    assert_eq!(stats.memory.unwrap().limit, Some(67_108_864));
    assert_eq!(stats.pids.unwrap().limit, Some(32));
}

#[test]
fn limits_change_upwards_and_downwards() {
    let Some(f) = Fixture::new("update", r#"{"memory":{"limit":67108864,"swap":67108864},"pids":{"limit":5}}"#) else {
        return;
    };
    for (limit, quota) in [(268_435_456_i64, 40_000), (33_554_432, 20_000), (134_217_728, 90_000)] {
        let to = format!(
            r#"{{"memory":{{"limit":{limit},"swap":{limit}}},"cpu":{{"quota":{quota}}},"pids":{{"limit":-1}}}}"#
        );
        f.group.update(&serde_json::from_str(&to).unwrap()).unwrap();
        assert_eq!(f.value(("memory", "memory.limit_in_bytes"), "memory.max"), limit.to_string());
        assert_eq!(f.value(("pids", "pids.max"), "pids.max"), "max");
        let quota = if f.v2_only() { format!("{quota} 100000") } else { quota.to_string() };
        assert_eq!(f.value(("cpu", "cpu.cfs_quota_us"), "cpu.max"), quota);
    }
}

#[test]
fn a_new_cpuset_has_its_parents_cpus() {
    let Some(f) = Fixture::new("cpuset/deeper", "{}") else { return };
    if !f.v2_only() {
        assert!(!f.value(("cpuset", "cpuset.cpus"), "cpuset.cpus").is_empty());
        assert!(!f.value(("cpuset", "cpuset.mems"), "cpuset.mems").is_empty());
    }
    assert!(f.run("exit 7").wait().unwrap().code() == Some(7), "and can be joined");
    let parent = f.group.path().trim_end_matches("/deeper").to_owned();
    let all = f.all.clone();
    drop(f);
    all.prune(&parent).unwrap();
    assert!(all.open(&parent).is_err());
}

#[test]
fn a_fork_bomb_is_held_and_killed_to_the_last() {
    let Some(f) = Fixture::new("bomb", r#"{"pids":{"limit":24}}"#) else { return };
    let mut bomb = f.run("b() { b | b & }; b; sleep 60");
    let events = || f.value(("pids", "pids.events"), "pids.events");
    until("the limit is hit", || file::keyed(&events(), "max").unwrap_or(0) > 0);
    assert!(f.group.stats().unwrap().pids.unwrap().current <= 24);
    f.group.kill(PATIENCE).unwrap();
    let _ = bomb.wait();
    assert_eq!(f.group.processes().unwrap(), Vec::<i32>::new());
    f.all.remove(f.group.path(), PATIENCE).unwrap();
}

#[test]
fn memory_beyond_the_limit_kills_and_is_told() {
    let Some(f) = Fixture::new("oom", r#"{"memory":{"limit":16777216,"swap":16777216}}"#) else { return };
    assert!(!f.group.oom_killed().unwrap());
    let _ = f.run("head -c 200000000 /dev/zero | tail; exit 3").wait().unwrap();
    assert!(f.group.oom_killed().unwrap());
    let memory = f.group.stats().unwrap().memory.unwrap();
    assert!(memory.usage <= 16_777_216);
}

#[test]
fn a_frozen_group_stands_still_and_can_be_killed() {
    let Some(f) = Fixture::new("freeze", "{}") else { return };
    let mut busy = f.run("while :; do :; done");
    let used = || f.group.stats().unwrap().cpu.unwrap().total;
    until("it runs", || used() > 5_000_000);
    f.group.freeze(PATIENCE).unwrap();
    assert!(f.group.frozen().unwrap());
    // A tick may still be accounted after the fact.
    std::thread::sleep(Duration::from_millis(20));
    let before = used();
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(used(), before, "no time was used while frozen");
    f.group.thaw(PATIENCE).unwrap();
    assert!(!f.group.frozen().unwrap());
    until("it runs again", || used() > before + 5_000_000);
    f.group.freeze(PATIENCE).unwrap();
    f.group.kill(PATIENCE).unwrap();
    assert!(!busy.wait().unwrap().success());
}

#[test]
fn removal_waits_for_the_last_process_and_says_when_it_gave_up() {
    let Some(f) = Fixture::new("remove", "{}") else { return };
    let mut child = f.run("sleep 60");
    let told = f.all.remove(f.group.path(), Duration::from_millis(30)).unwrap_err().to_string();
    assert!(told.ends_with("is still busy after 0.03 s"), "{told}");
    f.group.kill(PATIENCE).unwrap();
    let _ = child.wait();
}

#[test]
fn a_limit_that_cannot_be_set_is_an_error_and_leaves_no_group() {
    for (resources, part) in [
        (r#"{"cpu":{"cpus":"900"}}"#, "cpuset.cpus"),
        (r#"{"pids":{"limit":1},"unified":{"../escape.x":"1"}}"#, "../escape.x"),
        (r#"{"unified":{"no.such":"1"}}"#, "does not exist"),
        (r#"{"memory":{"limit":67108864,"swap":1048576}}"#, "memory"),
        (r#"{"hugepageLimits":[{"pageSize":"7XB","limit":1}]}"#, "huge"),
    ] {
        let Some(made) = Fixture::attempt("refused", resources) else { return };
        let told = made.err().unwrap().to_string();
        assert!(told.contains(part), "{resources}: {told}");
        let path = format!("/davit-test-{}-refused", std::process::id());
        assert!(Hierarchies::detect().unwrap().open(&path).is_err(), "{resources} left a group");
    }
}

#[test]
fn a_device_that_is_not_allowed_cannot_be_opened() {
    let rules =
        r#"{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"}]}"#;
    let Some(f) = Fixture::new("devices", rules) else { return };
    let open = |path: &str| f.run(&format!("( : < {path} ) && exit 0; exit 1")).wait().unwrap().code();
    assert_eq!(open("/dev/null"), Some(0));
    assert_eq!(open("/dev/zero"), Some(1));
}

/// Nothing but null, whose node may be made as well.
const NULL_ALONE: &str =
    r#"{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"}]}"#;

#[test]
fn on_v2_a_program_holds_devices_and_the_making_of_their_nodes() {
    let made = Fixture::attempt_in("devices-v2", NULL_ALONE, Hierarchy::is_v2);
    let Some(f) = made.map(|made| made.unwrap()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let disk = rustix::fs::mknodat(
        rustix::fs::CWD,
        at("outside"),
        rustix::fs::FileType::BlockDevice,
        rustix::fs::Mode::RUSR,
        rustix::fs::makedev(8, 0),
    );
    if let Err(e) = disk {
        eprintln!("skipped: no block device's node can be made here: {e}");
        return;
    }
    let inside = |script: &str| {
        let code = f.run(&format!("LC_ALL=C; export LC_ALL; ( {script} ) 2> {}", at("told"))).wait().unwrap().code();
        (code == Some(0), std::fs::read_to_string(at("told")).unwrap())
    };
    for allowed in [": < /dev/null", ": > /dev/null", ": <> /dev/null", &format!("mknod {} c 1 3", at("null"))] {
        assert_eq!(inside(allowed), (true, String::new()), "{allowed}");
    }
    let made = ["b 8 0", "b 7 0", "c 1 5"].map(|device| format!("mknod {} {device}", at("inside")));
    let opened = [": < /dev/zero".to_owned(), ": > /dev/zero".to_owned(), format!(": < {}", at("outside"))];
    for denied in made.iter().chain(&opened) {
        let (done, told) = inside(denied);
        assert!(!done && told.contains("Operation not permitted"), "{denied}: {told}");
    }
    assert!(!folder.path().join("inside").exists());
    std::fs::File::open("/dev/zero").unwrap();
}

#[test]
fn the_kernel_takes_as_many_device_rules_as_are_let_through() {
    let rule = |n: usize| {
        let (kind, access) = (["a", "b", "c"][n % 3], ["r", "rw", "m", "rwm", "wm"][n % 5]);
        let (major, minor) = (n % 7, n.wrapping_mul(2_654_435_761) % (1 << 20));
        let (major, minor) = if kind == "a" { (-1, -1) } else { (major as i64, minor as i64) };
        let allow = n.is_multiple_of(2);
        format!(r#"{{"allow":{allow},"type":"{kind}","major":{major},"minor":{minor},"access":"{access}"}}"#)
    };
    let rules = |count: usize| (0..count).map(rule).collect::<Vec<_>>().join(",");
    let json = format!(r#"{{"devices":[{}]}}"#, rules(1024));
    if let Some(made) = Fixture::attempt_in("devices-many", &json, Hierarchy::is_v2) {
        drop(made.unwrap());
    }
    let many: Vec<LinuxDeviceCgroup> = serde_json::from_str(&format!("[{}]", rules(1025))).unwrap();
    assert!(devices::program(&many).unwrap_err().to_string().starts_with("1025 device rules"));
}

/// Without the rights for bpf(2), as in a container that may make control groups but was not given them.
#[test]
fn on_v2_rules_that_cannot_be_put_in_force_are_an_error_and_leave_no_group() {
    use rustix::thread::CapabilitySet;
    // The rights of this thread alone.
    std::thread::spawn(|| {
        let mut sets = rustix::thread::capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::SYS_ADMIN | CapabilitySet::BPF);
        rustix::thread::set_capabilities(None, sets).unwrap();
        let Some(made) = Fixture::attempt_in("devices-denied", NULL_ALONE, Hierarchy::is_v2) else { return };
        let error = made.err().unwrap();
        assert!(matches!(&error, CgroupError::DeviceProgram { operation: "load", .. }), "{error:?}");
        let told = crate::failure::chain(&error);
        assert!(told.contains("access to devices") && told.contains("CAP_BPF"), "{told}");
        let all = Hierarchies(Hierarchies::detect().unwrap().0.into_iter().filter(Hierarchy::is_v2).collect());
        assert!(all.open(&format!("/davit-test-{}-devices-denied", std::process::id())).is_err(), "the group is gone");
    })
    .join()
    .unwrap();
}

#[test]
fn without_a_controller_device_rules_are_an_error() {
    let named = |h: &Hierarchy| h.controllers.iter().any(|c| c == "pids");
    if !Hierarchies::detect().is_ok_and(|all| all.0.iter().any(named)) {
        eprintln!("skipped: there is no v1 pids hierarchy here");
        return;
    }
    let Some(made) = Fixture::attempt_in("devices-none", NULL_ALONE, named) else { return };
    let error = made.err().unwrap().to_string();
    assert_eq!(error, "access to devices cannot be limited: the devices controller is not available in this cgroup");
}

#[test]
fn a_program_that_is_refused_carries_the_verifiers_words() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: device programs are root's to load");
        return;
    }
    let told = bpf::load_device_program(&[Insn::exit()]).unwrap_err().to_string();
    assert!(told.contains("R0 !read_ok"), "{told}");
}

/// What the kernel would answer: the few instructions that device programs are made of, over a context of three words.
fn interpret(program: &[Insn], context: [u32; 3]) -> u32 {
    let mut registers = [0_u32; 10];
    let mut at = 0_usize;
    loop {
        let insn = program[at];
        let (to, from) = (usize::from(insn.registers & 0xF), usize::from(insn.registers >> 4));
        let constant = insn.immediate.cast_unsigned();
        at += 1;
        let skip = match insn.code {
            Insn::LOAD_WORD => {
                assert_eq!(from, 1, "only the context is read");
                registers[to] = context[usize::try_from(insn.offset).unwrap() / 4];
                false
            }
            Insn::MOVE => {
                registers[to] = registers[from];
                false
            }
            Insn::SET => {
                registers[to] = constant;
                false
            }
            Insn::AND => {
                registers[to] &= constant;
                false
            }
            Insn::SHIFT_RIGHT => {
                registers[to] >>= constant;
                false
            }
            Insn::SKIP_IF_EQUAL => registers[to] == constant,
            Insn::SKIP_UNLESS_EQUAL => registers[to] != constant,
            Insn::SKIP_UNLESS_SAME => registers[to] != registers[from],
            Insn::EXIT => return registers[0],
            other => panic!("instruction {other:#x}"),
        };
        if skip {
            at += usize::try_from(insn.offset).unwrap();
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    kind: char,
    major: u32,
    minor: u32,
    access: &'static str,
}

fn answer(program: &[Insn], asked: Asked) -> bool {
    let bits = asked
        .access
        .bytes()
        .map(|b| {
            if b == b'm' {
                1
            } else if b == b'r' {
                2
            } else {
                4
            }
        })
        .sum::<u32>();
    let kind = if asked.kind == 'b' { 1 } else { 2 };
    interpret(program, [bits << 16 | kind, asked.major, asked.minor]) == 1
}

/// The rules as the specification's words have them, without a program: the last that decides wins.
fn reference(rules: &[LinuxDeviceCgroup], asked: Asked) -> bool {
    let devices = |rule: &LinuxDeviceCgroup| {
        let kind = match rule.typ().unwrap_or_default() {
            LinuxDeviceType::A => 'a',
            LinuxDeviceType::B => 'b',
            _ => 'c',
        };
        (kind, rule.major().filter(|n| *n != -1), rule.minor().filter(|n| *n != -1))
    };
    for (place, rule) in rules.iter().enumerate().rev() {
        let (kind, major, minor) = devices(rule);
        let here = (kind == 'a' || kind == asked.kind)
            && major.is_none_or(|n| n == i64::from(asked.major))
            && minor.is_none_or(|n| n == i64::from(asked.minor));
        if !here {
            continue;
        }
        let has = |rule: &LinuxDeviceCgroup, c: char| rule.access().as_deref().unwrap_or("rwm").contains(c);
        if rule.allow() {
            let given = |c: char| {
                let earlier = rules[..=place].iter().rev().take_while(|r| r.allow());
                earlier.filter(|r| devices(r) == devices(rule)).any(|r| has(r, c))
            };
            if asked.access.chars().all(given) {
                return true;
            }
        } else if asked.access.chars().any(|c| has(rule, c)) {
            return false;
        }
    }
    false
}

fn some_rule() -> impl Strategy<Value = LinuxDeviceCgroup> {
    let number = || prop_oneof![Just(None), Just(Some(-1_i64)), (0..3_i64).prop_map(Some), Just(Some(0xFFFF_FFFF))];
    let kind = prop_oneof![
        Just(None),
        Just(Some(LinuxDeviceType::A)),
        Just(Some(LinuxDeviceType::B)),
        Just(Some(LinuxDeviceType::C)),
        Just(Some(LinuxDeviceType::U)),
    ];
    let access = proptest::option::of(proptest::sample::select(vec!["r", "w", "m", "rw", "rm", "wm", "mwr"]));
    (any::<bool>(), kind, number(), number(), access).prop_map(|(allow, kind, major, minor, access)| {
        let all = matches!(kind.unwrap_or_default(), LinuxDeviceType::A);
        let mut rule = LinuxDeviceCgroup::default();
        rule.set_allow(allow).set_typ(kind).set_access(access.map(str::to_owned));
        rule.set_major(major.filter(|_| !all)).set_minor(minor.filter(|_| !all));
        rule
    })
}

proptest! {
    #[test]
    fn a_device_program_answers_as_its_rules_do(rules in proptest::collection::vec(some_rule(), 0..12)) {
        let program = devices::program(&rules).unwrap();
        for kind in ['b', 'c'] {
            for (major, minor) in [(0, 0), (0, 1), (1, 1), (2, 1), (1, 2), (7, 1), (u32::MAX, 1), (1, u32::MAX)] {
                for access in ["r", "w", "m", "rw", "rm", "wm", "rwm"] {
                    let asked = Asked { kind, major, minor, access };
                    prop_assert_eq!(answer(&program, asked), reference(&rules, asked), "{:?}", asked);
                }
            }
        }
    }
}

#[test]
fn the_last_device_rule_that_decides_wins() {
    let program =
        |json: &str| devices::program(&serde_json::from_str::<Vec<LinuxDeviceCgroup>>(json).unwrap()).unwrap();
    let asked = |kind, major, minor, access| Asked { kind, major, minor, access };
    let fuse = program(
        r#"[{"allow":false},{"allow":true,"type":"c","access":"m"},{"allow":true,"type":"c","major":10,"access":"rw"},
            {"allow":false,"type":"c","major":10,"minor":229,"access":"w"}]"#,
    );
    assert!(answer(&fuse, asked('c', 10, 200, "rw")));
    assert!(answer(&fuse, asked('c', 10, 229, "r")));
    assert!(!answer(&fuse, asked('c', 10, 229, "rw")), "one denied access denies all");
    assert!(answer(&fuse, asked('c', 200, 1, "m")));
    assert!(!answer(&fuse, asked('c', 10, 200, "rwm")), "no one rule allows all of it");
    assert!(!answer(&fuse, asked('b', 8, 0, "m")));

    let added = program(
        r#"[{"allow":false},{"allow":true,"type":"c","major":1,"minor":3,"access":"r"},
            {"allow":true,"type":"c","major":1,"minor":3,"access":"w"}]"#,
    );
    assert!(answer(&added, asked('c', 1, 3, "rw")), "what two rules give is given together");
    assert!(answer(&program(r#"[{"allow":false},{"allow":true}]"#), asked('b', 8, 0, "rwm")));
    assert!(!answer(&program(r#"[{"allow":true},{"allow":false}]"#), asked('c', 1, 3, "r")));
    assert!(!answer(&program(r#"[{"allow":true,"type":"b"}]"#), asked('c', 1, 3, "r")), "what no rule names is denied");
}

#[test]
fn paths_that_climb_are_refused() {
    let Ok(all) = Hierarchies::detect() else { return };
    for path in ["", "/", "/a/../b", "a//b", "./a", "/a/."] {
        let told = all.create(path, &LinuxResources::default()).unwrap_err().to_string();
        assert!(told.contains("component"), "{path}: {told}");
    }
}

#[test]
fn device_rules_become_lines() {
    let line = |json: &str| {
        devices::line(&serde_json::from_str::<LinuxDeviceCgroup>(json).unwrap()).map_err(|e| e.to_string())
    };
    let ok = |file, text: &str| Ok((file, text.to_owned()));
    assert_eq!(line(r#"{"allow":false,"access":"rwm"}"#), ok("devices.deny", "a"));
    assert_eq!(line(r#"{"allow":true,"type":"c","access":"m"}"#), ok("devices.allow", "c *:* m"));
    assert_eq!(
        line(r#"{"allow":true,"type":"b","major":7,"minor":-1,"access":"rw"}"#),
        ok("devices.allow", "b 7:* rw")
    );
    assert!(line(r#"{"allow":true,"type":"c","major":1,"minor":3,"access":"rw 1:2"}"#).is_err());
    assert!(line(r#"{"allow":true,"type":"a","major":1}"#).is_err());
}

#[test]
fn shares_become_weights_and_swap_loses_its_memory() {
    for (shares, weight) in [(0, 1), (2, 1), (1024, 100), (262_144, 10_000), (u64::MAX, 10_000)] {
        assert_eq!(v2::weight(shares), weight, "{shares}");
    }
    assert_eq!(v2::swap_only(Some(100), Some(150)).unwrap().as_deref(), Some("50"));
    assert_eq!(v2::swap_only(Some(100), Some(-1)).unwrap().as_deref(), Some("max"));
    assert_eq!(v2::swap_only(Some(100), None).unwrap(), None);
    assert!(v2::swap_only(Some(100), Some(50)).is_err());
    assert!(v2::swap_only(None, Some(50)).is_err());
}

#[test]
fn mounts_and_places_are_told_apart() {
    let hybrid = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        33 31 0:30 /docker/abc /sys/fs/cgroup/mem\\040ory rw shared:9 - cgroup cgroup rw,memory\n\
        34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let own = "4:cpu,cpuacct:/a\n3:memory:/docker/abc/x/y\n2:freezer:/\n0::/b:c\n";
    let all = Hierarchies::parse(hybrid, own).unwrap();
    let seen: Vec<_> = all.0.iter().map(|h| (h.name(), h.point.to_str().unwrap().to_owned(), h.own.clone())).collect();
    let row = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(
        seen,
        [
            row("cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct", "a"),
            row("memory", "/sys/fs/cgroup/mem ory", "x/y"),
            row("unified", "/sys/fs/cgroup/unified", "b:c"),
        ]
    );
    assert_eq!(all.mode(), Mode::Hybrid);

    let unified = "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
    assert_eq!(Hierarchies::parse(unified, "0::/init.scope\n").unwrap().mode(), Mode::Unified);
    // systemd's own hierarchy beside v2 controllers is still pure v2; a mount whose root does not show us has no place.
    let named = format!("{unified}31 24 0:27 /other /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n");
    let all = Hierarchies::parse(&named, "1:name=systemd:/elsewhere\n0::/\n").unwrap();
    assert_eq!((all.mode(), all.0[0].own.as_str()), (Mode::Unified, ""));
    assert!(matches!(Hierarchies::parse("", "0::/\n"), Err(CgroupError::NoHierarchy)));
}

#[test]
fn what_can_be_limited_is_what_a_limit_is_taken_for() {
    let Ok(all) = Hierarchies::detect() else { return eprintln!("skipped: no hierarchy is mounted") };
    let path = format!("/davit-test-{}-abilities", std::process::id());
    let found = match all.abilities(&path) {
        Ok(found) => found,
        Err(e) => return eprintln!("skipped: no cgroup can be made here: {e}"),
    };
    assert!(matches!(all.open(&path), Err(CgroupError::Make { .. })), "nothing stays");
    let taken = |resources: &str| {
        let resources: LinuxResources = serde_json::from_str(resources).unwrap();
        let made = all.create(&path, &resources);
        all.remove(&path, PATIENCE).unwrap();
        match made {
            Ok(_) => true,
            Err(CgroupError::NoController { .. }) => false,
            Err(e) => panic!("{e}"),
        }
    };
    assert_eq!(found.memory, taken(r#"{"memory":{"limit":67108864}}"#));
    assert_eq!(found.swap, taken(r#"{"memory":{"limit":67108864,"swap":134217728}}"#));
    assert!(!found.memory || taken(r#"{"memory":{"limit":67108864,"swap":-1}}"#), "no limit needs no controller");
    assert_eq!(found.cpu_quota, taken(r#"{"cpu":{"quota":50000,"period":100000}}"#));
    assert_eq!(found.cpu_shares, taken(r#"{"cpu":{"shares":512}}"#));
    assert_eq!(found.cpuset, taken(r#"{"cpu":{"cpus":"0"}}"#));
    assert_eq!(found.pids, taken(r#"{"pids":{"limit":10}}"#));
}
