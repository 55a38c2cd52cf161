//! Every flag of `davit run` does what it says or is refused: none is taken and forgotten.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use anyhow::{Result, bail};
use davit_e2e::World;
use std::collections::BTreeSet;

/// How a flag is seen to be heard.
#[derive(Clone, Copy)]
enum Seen {
    /// What a script in the container writes.
    Inside(&'static str, &'static str),
    /// What `inspect` says of the container by a template.
    Inspected(&'static str, &'static str),
    /// The refusal.
    Refused(&'static str),
    /// It is the client's own; `cli/tests` hold it.
    Client,
}

use Seen::{Client, Inside, Inspected, Refused};

/// `1` where the process may do what this bit of its capabilities says.
macro_rules! capability {
    ($bit:literal) => {
        concat!("c=$(grep CapEff /proc/self/status | cut -f2); echo $(( (0x$c >> ", $bit, ") & 1 ))")
    };
}

#[rustfmt::skip] // a table, a row a line
const FLAGS: &[(&str, &[&str], Seen)] = &[
    ("add-host", &["--add-host", "a.example:1.2.3.4"], Inside("grep a.example /etc/hosts | tr '\\t' ' '", "1.2.3.4 a.example")),
    ("annotation", &["--annotation", "a=b"], Refused("Annotations is not supported")),
    ("attach", &["-a", "stderr"], Inside("echo out", "")),
    ("cap-add", &["--cap-add", "NET_ADMIN"], Inside(capability!(12), "1")),
    ("cap-drop", &["--cap-drop", "CHOWN"], Inside(capability!(0), "0")),
    ("cgroup-parent", &["--cgroup-parent", "/x"], Refused("CgroupParent")),
    ("cgroupns", &["--cgroupns", "host"], Refused("CgroupnsMode")),
    ("cidfile", &[], Client),
    ("cpu-shares", &["-c", "512"], Inspected("{{.HostConfig.CpuShares}}", "512")),
    ("cpus", &["--cpus", "0.5"], Inspected("{{.HostConfig.NanoCpus}}", "500000000")),
    ("cpuset-cpus", &["--cpuset-cpus", "0"], Inside("grep Cpus_allowed_list /proc/self/status | cut -f2", "0")),
    ("cpuset-mems", &["--cpuset-mems", "0"], Inside("grep Mems_allowed_list /proc/self/status | cut -f2", "0")),
    ("detach", &[], Client),
    ("detach-keys", &[], Client),
    ("device", &["--device", "/dev/null:/dev/mine"], Inside("test -c /dev/mine && echo there", "there")),
    ("dns", &["--dns", "9.9.9.9"], Inside("grep -c 'nameserver 9.9.9.9' /etc/resolv.conf", "1")),
    ("dns-option", &["--dns-option", "ndots:3"], Inside("grep options /etc/resolv.conf", "options ndots:3")),
    ("dns-search", &["--dns-search", "x.example"], Inside("grep search /etc/resolv.conf", "search x.example")),
    ("domainname", &["--domainname", "d.example"], Inside("cat /proc/sys/kernel/domainname", "d.example")),
    ("entrypoint", &["--entrypoint", "echo"], Inside("x", "sh -c x")),
    ("env", &["-e", "A=1"], Inside("echo $A", "1")),
    ("env-file", &[], Client),
    ("expose", &["--expose", "81"], Inspected("{{json .Config.ExposedPorts}}", r#"{"81/tcp":{}}"#)),
    ("group-add", &["--group-add", "777"], Inside("id -G | grep -cw 777", "1")),
    ("help", &[], Client),
    ("hostname", &["-h", "own"], Inside("hostname", "own")),
    ("init", &["--init"], Refused("--init is not supported yet")),
    ("interactive", &["-i"], Inspected("{{.Config.OpenStdin}}", "true")),
    ("ip", &["--ip", "8.8.8.8"], Refused("8.8.8.8")),
    ("ip6", &["--ip6", "fd00::9"], Refused("--ip6 fd00::9: network bridge has no IPv6 addresses")),
    ("ipc", &["--ipc", "host"], Inspected("{{.HostConfig.IpcMode}}", "host")),
    ("label", &["-l", "a=b"], Inspected("{{index .Config.Labels \"a\"}}", "b")),
    ("label-file", &[], Client),
    ("log-driver", &["--log-driver", "syslog"], Refused("LogConfig.Type")),
    ("log-opt", &["--log-opt", "max-size=1m"], Refused("--log-opt")),
    ("mac-address", &["--mac-address", "02:00:00:00:00:09"], Inside("cat /sys/class/net/eth0/address", "02:00:00:00:00:09")),
    ("memory", &["-m", "64m"], Inspected("{{.HostConfig.Memory}}", "67108864")),
    ("memory-reservation", &["--memory-reservation", "32m"], Inspected("{{.HostConfig.MemoryReservation}}", "33554432")),
    ("memory-swap", &["-m", "64m", "--memory-swap", "-1"], Inspected("{{.HostConfig.MemorySwap}}", "-1")),
    ("mount", &["--mount", "type=tmpfs,dst=/t"], Inside("grep -c ' /t tmpfs' /proc/mounts", "1")),
    ("name", &["--name", "mine"], Inspected("{{.Name}}", "/mine")),
    ("network", &["--network", "none"], Inside("ls /sys/class/net | grep -c eth0", "0")),
    ("network-alias", &["--network-alias", "other"], Inspected("{{range .NetworkSettings.Networks}}{{json .Aliases}}{{end}}", r#"["other"]"#)),
    ("oom-kill-disable", &["--oom-kill-disable"], Refused("OomKillDisable")),
    ("oom-score-adj", &["--oom-score-adj", "500"], Inside("cat /proc/self/oom_score_adj", "500")),
    ("pid", &["--pid", "host"], Inspected("{{.HostConfig.PidMode}}", "host")),
    ("pids-limit", &["--pids-limit", "50"], Inspected("{{.HostConfig.PidsLimit}}", "50")),
    ("platform", &["--platform", "linux/s390x", "--pull", "never"], Refused("does not match the specified platform")),
    ("privileged", &["--privileged"], Inside(capability!(21), "1")),
    ("publish", &["-p", "80"], Inspected("{{len (index .NetworkSettings.Ports \"80/tcp\")}}", "1")),
    ("publish-all", &["--expose", "81", "-P"], Inspected("{{len (index .NetworkSettings.Ports \"81/tcp\")}}", "1")),
    ("pull", &[], Client),
    ("quiet", &[], Client),
    ("read-only", &["--read-only"], Inside("(: > /x) 2>/dev/null || echo refused", "refused")),
    ("restart", &["--restart", "on-failure:2"], Inspected("{{.HostConfig.RestartPolicy.MaximumRetryCount}}", "2")),
    ("rm", &[], Client),
    ("security-opt", &["--security-opt", "no-new-privileges"], Inside("grep NoNewPrivs /proc/self/status | cut -f2", "1")),
    ("shm-size", &["--shm-size", "1m"], Inside("grep -c ' /dev/shm .*size=1024k' /proc/mounts", "1")),
    ("sig-proxy", &[], Client),
    ("stop-signal", &["--stop-signal", "FOO"], Refused("invalid signal: FOO")),
    ("stop-timeout", &["--stop-timeout", "3"], Inspected("{{.Config.StopTimeout}}", "3")),
    ("storage-driver", &["--storage-driver", "nosuch"], Refused("nosuch")),
    ("storage-opt", &["--storage-opt", "nosuch=1"], Refused("nosuch")),
    ("sysctl", &["--sysctl", "net.ipv4.ip_forward=1"], Inside("cat /proc/sys/net/ipv4/ip_forward", "1")),
    ("tmpfs", &["--tmpfs", "/t:size=1m"], Inside("grep -c ' /t tmpfs.*size=1024k' /proc/mounts", "1")),
    ("tty", &["-t"], Inside("test -t 1 && echo terminal", "terminal")),
    ("ulimit", &["--ulimit", "nofile=64:128"], Inside("ulimit -n", "64")),
    ("user", &["-u", "7:8"], Inside("id -u", "7")),
    ("userns", &["--userns", "remap"], Refused("UsernsMode")),
    ("uts", &["--uts", "host"], Inside("test $(hostname) = $(cat /etc/hostname) && echo same", "same")),
    ("volume", &["-v", "/anon"], Inside("grep -c ' /anon ' /proc/mounts", "1")),
    ("volume-driver", &["--volume-driver", "nosuch"], Refused("VolumeDriver")),
    ("volumes-from", &["--volumes-from", "x"], Refused("VolumesFrom")),
    ("workdir", &["-w", "/tmp/w"], Inside("pwd", "/tmp/w")),
];

#[test]
fn every_flag_of_run_is_applied_or_refused() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let help = world.davit(&["run", "--help"])?.success()?;
    // What a flag's values mean stands beneath it, with a dash and a space.
    let words = help.stdout.lines().map(str::trim).filter(|line| line.starts_with('-') && !line.starts_with("- "));
    let flag = |line: &str| {
        let long = line.split_once("--").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        long.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect::<String>()
    };
    let offered: BTreeSet<String> = words.map(flag).collect();
    let known: BTreeSet<String> = FLAGS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(offered, known, "a flag has a row here, and a row a flag");
    let wrong: Vec<String> = FLAGS.iter().filter_map(|row| heard(&world, row).err().map(|e| e.to_string())).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.daemon.finish()
}

fn heard(world: &World, (name, words, seen): &(&str, &[&str], Seen)) -> Result<()> {
    let run = |before: &[&str], after: &[&str]| world.davit(&[&["run"], before, words, &["IMAGE"], after].concat());
    let (said, wanted) = match seen {
        Client => return Ok(()),
        Refused(why) => {
            let done = run(&["--rm"], &["true"])?;
            if done.code != 125 || !done.stderr.contains(why) {
                bail!("--{name}: not refused: {done:?}");
            }
            return Ok(());
        }
        Inside(script, wanted) => (run(&["--rm"], &["sh", "-c", script])?, wanted),
        Inspected(template, wanted) => {
            let done = run(&["-d"], &["sleep", "100"])?.success()?;
            let found = world.davit(&["inspect", "-f", template, done.out()])?;
            world.davit(&["rm", "-f", done.out()])?.success()?;
            (found, wanted)
        }
    };
    if said.out() != *wanted {
        bail!("--{name}: wanted {wanted:?}: {said:?}");
    }
    Ok(())
}
