//! `davit-runtime run` of real bundles: what the program gets to see, and what the caller gets back.

mod bundle;

use bundle::Bundle;
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

#[test]
fn output_streams_and_exit_status_are_the_programs_own() {
    let output = Bundle::new("echo out; echo err >&2; exit 7").run();
    assert_eq!(output.status.code(), Some(7));
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
}

#[test]
fn a_program_that_a_signal_ends_has_128_and_its_number() {
    // Pid 1 only dies of what it cannot ignore, so a child of it is killed, and the shell reports that.
    assert_eq!(Bundle::new("sh -c 'kill -9 $$'; exit $?").run().status.code(), Some(137));
}

#[test]
fn a_signal_to_the_command_reaches_the_program() {
    let bundle = Bundle::new("trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.05; done");
    let mut child = bundle.command().stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    bundle::kill(i32::try_from(child.id()).unwrap(), rustix::process::Signal::TERM);
    assert_eq!(lines.next().unwrap().unwrap(), "got");
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn standard_input_is_the_callers_and_ends_when_it_does() {
    let bundle = Bundle::new("cat; echo end");
    let mut child = bundle.command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    assert_eq!(text, "hello\nend\n");
}

#[test]
fn a_program_that_cannot_be_run_is_reported_in_dockers_words_and_numbers() {
    for (args, status, words) in [
        (&["nosuchcommand"][..], 127, r#"exec: "nosuchcommand": executable file not found in $PATH"#),
        (&["/nope"], 127, r#"exec: "/nope": stat /nope: no such file or directory"#),
        (&["/etc/passwd"], 126, r#"exec: "/etc/passwd": permission denied"#),
        (&["/bin"], 126, r#"exec: "/bin": is a directory"#),
    ] {
        let output = Bundle::of(args).run();
        assert_eq!(output.status.code(), Some(status), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{output:?}");
    }
}

#[test]
fn a_bundle_that_is_none_is_refused_with_125_and_leaves_nothing() {
    let bundle = Bundle::new("true");
    let mut command = bundle.command();
    std::fs::write(bundle.dir.path().join("config.json"), "{").unwrap();
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&output.stderr).contains("config.json"), "{output:?}");
    assert_eq!(std::fs::read_dir(bundle.dir.path().join("state")).unwrap().count(), 0);
}

#[test]
fn the_default_capabilities_are_dockers_none_is_inheritable_and_no_new_ones_can_be_had() {
    let text = Bundle::new("grep -E '^(Cap|NoNewPrivs)' /proc/self/status").stdout();
    for line in [
        "CapInh:\t0000000000000000",
        "CapPrm:\t00000000a80425fb",
        "CapEff:\t00000000a80425fb",
        "CapBnd:\t00000000a80425fb",
        "CapAmb:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn another_user_has_its_groups_and_no_effective_capability() {
    let mut bundle = Bundle::new("id; grep CapEff /proc/self/status; echo again > /dev/stderr");
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000, "additionalGids": [29]});
    bundle.config["process"]["capabilities"] = json!({"bounding": ["CAP_KILL"]});
    let text = bundle.stdout();
    assert!(text.contains("uid=1000(user) gid=1000(user) groups=29(audio),1000(user)"), "{text}");
    assert!(text.contains("CapEff:\t0000000000000000"), "{text}");
}

#[test]
fn nothing_but_standard_streams_is_open() {
    // The fourth is the one that ls itself has open on the folder.
    assert_eq!(Bundle::new("exec ls /proc/self/fd").stdout(), "0\n1\n2\n3\n");
}

#[test]
fn devices_are_the_default_ones_with_their_numbers() {
    let text =
        Bundle::new("cd /dev; stat -c '%n %F %t:%T %a' null zero full random urandom tty; readlink ptmx; readlink fd")
            .stdout();
    let expected = [
        "null character special file 1:3 666",
        "zero character special file 1:5 666",
        "full character special file 1:7 666",
        "random character special file 1:8 666",
        "urandom character special file 1:9 666",
        "tty character special file 5:0 666",
        "pts/ptmx",
        "/proc/self/fd",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn masked_paths_are_empty_and_read_only_ones_refuse_writing() {
    let script = "cat /proc/keys /proc/timer_list; ls /proc/acpi /sys/firmware | grep -v :; \
                  echo 1 > /proc/sys/kernel/domainname || echo refused; touch /sys/fs/cgroup/x || echo refused";
    assert_eq!(Bundle::new(script).stdout().trim(), "refused\nrefused");
}

#[test]
fn control_groups_cannot_be_written_from_inside() {
    let script = "for d in /sys/fs/cgroup/*; do mkdir $d/x 2>/dev/null && echo escaped $d; done; grep -v ':/$' /proc/self/cgroup";
    assert_eq!(Bundle::of(&["/bin/sh", "-c", &format!("{script}; true")]).stdout(), "");
}

/// A new mount without a namespace would show the whole host's groups, and change options of its unified mount.
#[test]
fn without_a_cgroup_namespace_the_containers_own_group_is_seen_and_no_other() {
    let script = "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do test -f $d/cgroup.procs || continue; echo seen; \
                  grep -qx 1 $d/cgroup.procs || echo not ours: $d; done | sort -u; \
                  touch /sys/fs/cgroup/x 2>/dev/null && echo writable; true";
    let mut bundle = Bundle::new(script);
    bundle.config["linux"]["namespaces"].as_array_mut().unwrap().retain(|n| n["type"] != "cgroup");
    assert_eq!(bundle.stdout(), "seen\n");
}

#[test]
fn a_read_only_root_refuses_writing_and_a_bind_may_be_written_or_not() {
    let mut bundle = Bundle::new("touch /x || echo root; touch /rw/x && echo rw; touch /ro/x || echo ro");
    let host = tempfile::tempdir().unwrap();
    bundle.config["root"]["readonly"] = json!(true);
    std::fs::create_dir_all(bundle.root().join("rw")).unwrap();
    std::fs::create_dir_all(bundle.root().join("ro")).unwrap();
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    for (to, option) in [("/rw", "rw"), ("/ro", "ro")] {
        mounts.push(json!({"destination": to, "source": host.path(), "type": "bind", "options": ["rbind", option]}));
    }
    assert_eq!(bundle.stdout(), "root\nrw\nro\n");
    assert!(host.path().join("x").exists());
}

#[test]
fn the_working_directory_is_made_and_entered_and_the_host_name_set() {
    let mut bundle = Bundle::new("pwd; hostname; env | grep HOME");
    bundle.config["process"]["cwd"] = json!("/srv/deep/er");
    assert_eq!(bundle.stdout(), "/srv/deep/er\ndavit-test\nHOME=/root\n");
}

#[test]
fn limits_and_kernel_settings_are_those_asked_for() {
    let mut bundle = Bundle::new("ulimit -n; cat /proc/sys/net/ipv4/ip_forward; cat /proc/self/oom_score_adj; umask");
    bundle.config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 100}]);
    bundle.config["process"]["oomScoreAdj"] = json!(77);
    bundle.config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
    assert_eq!(bundle.stdout(), "99\n1\n77\n0022\n");
}

#[test]
fn nothing_covers_proc_but_a_procfs_and_nothing_inside_it_but_files_of_numbers() {
    let with = |destination: &str, source: &str| {
        let mut bundle = Bundle::new("cat /proc/uptime; ls -d /proc/1");
        let mounts = bundle.config["mounts"].as_array_mut().unwrap();
        mounts.push(json!({"destination": destination, "type": "bind", "source": source, "options": ["rbind"]}));
        bundle.command().output().unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let (folder, file) = (folder.path().to_str().unwrap().to_owned(), folder.path().join("numbers"));
    std::fs::write(&file, "1.00 2.00\n").unwrap();
    let file = file.to_str().unwrap();
    for destination in ["/proc", "/proc/", "/proc/sys", "/proc/self/attr", "/proc/1/ns", "/proc/./sys/kernel"] {
        let output = with(destination, &folder);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains("only a procfs is mounted on /proc"),
            "{destination}: {said}"
        );
    }
    assert!(!with("/proc/sysrq-trigger", file).status.success());
    assert!(!with("/proc/sys/kernel/core_pattern", file).status.success());
    assert_eq!(String::from_utf8_lossy(&with("/proc/uptime", file).stdout), "1.00 2.00\n/proc/1\n");
    assert!(with("/proc", "/proc").status.success(), "a procfs, of whichever pid namespace");
}

#[test]
fn a_kernel_setting_of_the_hosts_is_not_a_containers_to_change() {
    let without = |kind: &str| {
        let mut bundle = Bundle::new("true");
        let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|ns| ns["type"] != kind);
        bundle
    };
    let with_path = |kind: &str, path: &str| {
        let mut bundle = without(kind);
        bundle.config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": kind, "path": path}));
        bundle
    };
    for (mut bundle, key, why) in [
        (Bundle::new("true"), "vm.swappiness", "belongs to no namespace"),
        (Bundle::new("true"), "kernel.core_pattern", "belongs to no namespace"),
        (Bundle::new("true"), "net/../kernel/core_pattern", "belongs to no namespace"),
        (without("network"), "net.ipv4.ip_default_ttl", "not the container's own"),
        (with_path("network", "/proc/self/ns/net"), "net.ipv4.ip_default_ttl", "not the container's own"),
        (without("ipc"), "kernel.shmmni", "not the container's own"),
        (without("uts"), "kernel.domainname", "not the container's own"),
    ] {
        let file = format!("/proc/sys/{}", key.replace("net/../", "").replace('.', "/"));
        let before = std::fs::read_to_string(&file).unwrap();
        // What is there already, so that a failing test harms nobody.
        bundle.config["linux"]["sysctl"] = json!({ key: before.trim() });
        for name in ["hostname", "domainname"] {
            bundle.config.as_object_mut().unwrap().remove(name);
        }
        let output = bundle.command().output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(why) && said.contains(key), "{key}: {said}");
    }
}

#[test]
fn a_terminal_of_the_containers_own_is_its_controlling_one() {
    let mut bundle = Bundle::new("tty; test -c /dev/console && echo console; stty size < /dev/tty; exit 3");
    bundle.config["process"]["terminal"] = json!(true);
    bundle.config["process"]["consoleSize"] = json!({"height": 30, "width": 101});
    let output = bundle.command().stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "/dev/pts/0\r\nconsole\r\n30 101\r\n");
    assert_eq!(output.status.code(), Some(3));
}

/// What `runc spec` writes, but for the arguments and the terminal.
fn as_runc_spec_writes(script: &str) -> Bundle {
    let mut bundle = Bundle::new(script);
    let caps = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
    bundle.config = json!({
        "ociVersion": "1.2.0",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh", "-c", script],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {"bounding": caps, "effective": caps, "permitted": caps},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "runc",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
             "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs",
             "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
        ],
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                           {"type": "cgroup"}],
            "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    });
    bundle
}

#[test]
fn a_bundle_of_runc_spec_runs_with_its_default_devices_open() {
    let script = "hostname; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo gone > /dev/null; ls /dev/pts; \
                  touch /x 2>/dev/null || echo read-only";
    assert_eq!(as_runc_spec_writes(script).stdout(), "runc\n3\n3\nptmx\nread-only\n");
}

#[test]
fn a_bundle_of_runc_spec_gets_its_terminal() {
    let mut bundle = as_runc_spec_writes("tty; test -c /dev/console && echo console");
    bundle.config["process"]["terminal"] = json!(true);
    let output = bundle.command().stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "/dev/pts/0\r\nconsole\r\n", "{output:?}");
}

#[test]
fn a_device_that_neither_bundle_nor_defaults_allow_can_be_made_but_not_opened() {
    if !std::path::Path::new("/sys/fs/cgroup/devices").exists() {
        println!("skipped: there is no v1 devices controller at /sys/fs/cgroup/devices");
        return;
    }
    // The tun device opens for everybody, or answers that there is no driver: only the rule says "not permitted".
    let mut bundle = as_runc_spec_writes("test -c /dev/tun && echo made; (true < /dev/tun) 2>&1; true");
    bundle.config["linux"]["devices"] =
        json!([{"path": "/dev/tun", "type": "c", "major": 10, "minor": 200, "fileMode": 0o666}]);
    let text = bundle.stdout();
    assert!(text.starts_with("made\n") && text.contains("not permitted"), "{text}");
    let allowed = json!({"allow": true, "type": "c", "major": 10, "minor": 200, "access": "r"});
    bundle.config["linux"]["resources"]["devices"].as_array_mut().unwrap().push(allowed);
    let text = bundle.stdout();
    assert!(text.starts_with("made\n") && !text.contains("not permitted"), "{text}");
}

#[test]
fn what_a_bundle_asks_for_and_cannot_have_is_refused_by_its_name() {
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    for (pointer, value) in [
        ("/process/apparmorProfile", json!("docker-default")),
        ("/process/selinuxLabel", json!("system_u:system_r:container_t:s0")),
        ("/process/scheduler", json!({"policy": "SCHED_BATCH"})),
        ("/process/ioPriority", json!({"class": "IOPRIO_CLASS_IDLE", "priority": 0})),
        ("/linux/personality", json!({"domain": "LINUX32"})),
        ("/linux/mountLabel", json!("system_u:object_r:container_file_t:s0")),
        ("/linux/intelRdt", json!({"closID": "guaranteed"})),
        ("/linux/uidMappings", map.clone()),
        ("/linux/gidMappings", map),
        ("/linux/timeOffsets", json!({"boottime": {"secs": 1, "nanosecs": 0}})),
        ("/linux/netDevices", json!({"eth7": {}})),
        ("/hooks/prestart", json!([{"path": "/bin/true"}])),
        ("/hooks/createRuntime", json!([{"path": "/bin/true"}])),
        ("/hooks/createContainer", json!([{"path": "/bin/true"}])),
        ("/hooks/startContainer", json!([{"path": "/bin/true"}])),
        ("/hooks/poststart", json!([{"path": "/bin/true"}])),
        ("/hooks/poststop", json!([{"path": "/bin/true"}])),
    ] {
        let mut bundle = Bundle::new("echo it ran");
        let mut place = &mut bundle.config;
        for key in pointer.split('/').skip(1) {
            place = &mut place[key];
        }
        *place = value;
        let output = bundle.run();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let words = format!("not supported: {}\n", pointer[1..].replace('/', "."));
        assert!(told.ends_with(&words), "{pointer}: {told}");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(125), &b""[..]), "{pointer}");
    }
}

#[test]
fn a_mount_with_mapped_ids_is_refused() {
    let mut bundle = Bundle::new("echo it ran");
    let host = tempfile::tempdir().unwrap();
    bundle.config["mounts"]
        .as_array_mut()
        .unwrap()
        .push(json!({"destination": "/data", "source": host.path(), "type": "bind", "options": ["rbind", "ridmap"]}));
    let output = bundle.run();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.ends_with("not supported: id mappings of the mount on /data\n"), "{told}");
}

#[test]
fn empty_values_ask_for_nothing() {
    let mut bundle = Bundle::new("echo it ran");
    bundle.config["process"]["apparmorProfile"] = json!("");
    bundle.config["process"]["selinuxLabel"] = json!("");
    bundle.config["process"]["scheduler"] = json!(null);
    bundle.config["linux"]["mountLabel"] = json!("");
    bundle.config["linux"]["uidMappings"] = json!([]);
    bundle.config["hooks"] = json!({"prestart": [], "poststop": null});
    assert_eq!(bundle.stdout(), "it ran\n");
}

#[test]
fn a_container_that_ends_does_not_take_the_control_group_away_that_another_starts_in() {
    let some = || (0..25).for_each(|_| assert_eq!(Bundle::new("echo ran").stdout(), "ran\n"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(some);
        }
    });
}
