//! Against the real kernel: limits read back, a fork bomb that is held, memory that kills, nothing that stays.
//! Runs wherever cgroups can be made (here hybrid, in the guest pure v2); elsewhere each test says why it did not.

use super::{CgroupError, Group, Hierarchies, Mode, devices, file, v2};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxResources};
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
        let resources: LinuxResources = serde_json::from_str(resources).unwrap();
        let all = match Hierarchies::detect() {
            Ok(all) => all,
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
    if !f.group.unsupported().is_empty() {
        eprintln!("skipped: {}", f.group.unsupported().join(", "));
        return;
    }
    let open = |path: &str| f.run(&format!("( : < {path} ) && exit 0; exit 1")).wait().unwrap().code();
    assert_eq!(open("/dev/null"), Some(0));
    assert_eq!(open("/dev/zero"), Some(1));
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
