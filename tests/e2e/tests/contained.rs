//! The plugin host is a process that has nothing: how it looks from outside, what somebody reaches who has taken it over,
//! and what becomes of everybody else when it dies.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{World, plugin_host};
use davit_fixtures::process::until;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    time::Duration,
};

/// With a plugin in the lifecycle chain, so that each create calls it.
const SITE: &str = r#"[storage]
driver = "overlay"
[[auth]]
pattern = "*"
plugin = "docker-config"
[network]
default = "none"
drivers = ["none"]
[[lifecycle]]
plugin = "site-defaults"
fail = "closed"
[[lifecycle]]
plugin = "image-policy"
fail = "closed"
[plugins.site-defaults.config]
labels = { team = "red" }
[plugins.image-policy.config]
allow = ["*"]
"#;

fn world() -> Result<World> {
    let world = World::with_site(Some(SITE))?;
    world.davit(&["pull", "-q", "IMAGE"])?.success()?;
    Ok(world)
}

fn living(world: &World) -> Result<(i32, i32)> {
    until(Duration::from_secs(10), "the plugin host runs", || Ok(plugin_host(&world.daemon)))
}

/// A field of `/proc/PID/status`.
fn status(pid: i32, field: &str) -> Result<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
    Ok(line.with_context(|| format!("no {field}"))?.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn it_has_no_files_no_network_no_identity_and_no_rights() -> Result<()> {
    let world = world()?;
    let (_, inner) = living(&world)?;
    for namespace in ["mnt", "net", "pid", "ipc", "uts", "cgroup", "user"] {
        let of = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/{namespace}"));
        ensure!(of(inner)? != of(world.daemon.pid())?, "it is in the daemon's {namespace} namespace");
    }
    let nobody = "65534 65534 65534 65534";
    for (field, want) in [
        ("Uid", nobody),
        ("Gid", nobody),
        ("Groups", ""),
        ("CapInh", "0000000000000000"),
        ("CapPrm", "0000000000000000"),
        ("CapEff", "0000000000000000"),
        ("CapAmb", "0000000000000000"),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
    ] {
        ensure!(status(inner, field)? == want, "{field} is {}", status(inner, field)?);
    }
    for thread in fs::read_dir(format!("/proc/{inner}/task"))? {
        let text = fs::read_to_string(thread?.path().join("status"))?;
        ensure!(text.contains("Seccomp:\t2") && text.contains("CapEff:\t0000000000000000"), "a thread is free: {text}");
    }
    let mounts = fs::read_to_string(format!("/proc/{inner}/mountinfo"))?;
    ensure!(mounts.lines().count() == 1 && mounts.contains(" / / ro,"), "{mounts}");
    ensure!(fs::read_dir(format!("/proc/{inner}/root"))?.count() == 0, "its root is not empty");
    let links = fs::read_to_string(format!("/proc/{inner}/net/dev"))?;
    ensure!(links.lines().skip(2).all(|line| line.trim_start().starts_with("lo:")), "{links}");

    let mut sockets = BTreeSet::new();
    for fd in fs::read_dir(format!("/proc/{inner}/fd"))? {
        let target = fs::read_link(fd?.path())?;
        let target = target.to_string_lossy().into_owned();
        sockets.extend(target.starts_with("socket:").then(|| target.clone()));
        // Its own pages are those of its own memory, without physical addresses: what it knows already.
        if target.ends_with("/pagemap") {
            ensure!(target.ends_with(&format!("/{inner}/pagemap")), "it holds {target}");
            continue;
        }
        // Its standard streams are of a file system that it has left.
        let known = ["socket:", "anon_inode:[event", "/null", "/dev/null", "/memfd:wasm"];
        ensure!(known.iter().any(|k| target.starts_with(k)), "it holds {target}");
    }
    ensure!(sockets.len() == 1, "it has the sockets {sockets:?}");
    world.daemon.finish()
}

#[test]
fn who_takes_it_over_reaches_nothing() -> Result<()> {
    let world = world()?;
    let daemon = format!("davit.test.hole={}", world.daemon.pid());
    let done = world.davit(&["create", "--label", &daemon, "IMAGE", "true"])?;
    let (_, list) = done.stderr.split_once("denied: {").with_context(|| format!("no hole was planted: {done:?}"))?;
    let list = list.lines().next().unwrap_or_default().trim_end();
    let tried: BTreeMap<String, String> = serde_json::from_str(&format!("{{{list}"))?;
    ensure!(tried.len() == 21, "{tried:?}");
    for (what, outcome) in &tried {
        let refused = outcome.starts_with("errno ") || outcome.starts_with("denied: ");
        ensure!(refused, "it could {what}: {outcome}");
    }
    // Answers beyond the grant are refused before anything is done with them.
    for beyond in ["/privileged", "/binds/0", "/limits/oom_score_adj"] {
        let done = world.davit(&["create", "--label", &format!("davit.test.hole={beyond}"), "IMAGE", "true"])?;
        let said = done.stderr.contains(&format!("adjusting {beyond}")) && done.stderr.contains("grant");
        ensure!(done.code != 0 && said, "{beyond}: {done:?}");
    }
    ensure!(world.davit(&["ps", "-aq"])?.success()?.out().is_empty(), "a container was made");
    world.davit(&["run", "--rm", "IMAGE", "true"])?.success()?;
    world.daemon.finish()
}

#[test]
fn its_end_is_a_moments_refusal_and_nobody_elses_trouble() -> Result<()> {
    let world = world()?;
    let running = world.davit(&["run", "-d", "IMAGE", "sleep", "300"])?.success()?;
    let (stop, kills) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| -> Result<()> {
        let killer = scope.spawn(|| -> Result<()> {
            while !stop.load(Relaxed) {
                if let Some((outer, inner)) = plugin_host(&world.daemon) {
                    // One or the other; it may have ended meanwhile.
                    let nth = kills.fetch_add(1, Relaxed);
                    let _ = kill(Pid::from_raw(if nth.is_multiple_of(2) { inner } else { outer }), Signal::SIGKILL);
                }
                std::thread::sleep(Duration::from_millis(70 + u64::from(kills.load(Relaxed) % 7) * 20));
            }
            Ok(())
        });
        let mut made = Ok(());
        for round in 0..400 {
            if round >= 40 && kills.load(Relaxed) >= 10 {
                break;
            }
            let done = world.davit(&["create", "IMAGE", "true"])?;
            if done.code != 0 && !done.stderr.contains("unavailable") {
                made = Err(anyhow::anyhow!("{done:?}"));
                break;
            }
        }
        stop.store(true, Relaxed);
        killer.join().map_err(|_| anyhow::anyhow!("the killer panicked"))??;
        made
    })?;
    let kills = kills.into_inner();
    ensure!(kills >= 10, "only {kills} kills");
    // And then all is well, with the plugins in force, and who ran has not noticed.
    let made = world.davit(&["create", "IMAGE", "true"])?.success()?;
    let label = world.davit(&["inspect", "-f", "{{index .Config.Labels \"team\"}}", made.out()])?.success()?;
    ensure!(label.out() == "red", "{label:?}");
    let state = world.davit(&["inspect", "-f", "{{.State.Running}}", running.out()])?.success()?;
    ensure!(state.out() == "true", "{state:?}");
    let all = world.davit(&["ps", "-aq"])?.success()?;
    let ids: Vec<&str> = all.out().lines().collect();
    world.davit(&[&["rm", "-f"], ids.as_slice()].concat())?.success()?;
    world.daemon.finish()
}
