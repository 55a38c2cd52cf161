//! Kernel settings: a container has those of its namespaces, and the host keeps its own.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::World;

#[test]
fn a_container_sets_what_is_its_own_and_nothing_of_the_hosts() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let own = world.davit(&[
        "run",
        "--rm",
        "--sysctl",
        "net.core.somaxconn=1023",
        "--sysctl",
        "kernel.shmmni=4095",
        "IMAGE",
        "cat",
        "/proc/sys/net/core/somaxconn",
        "/proc/sys/kernel/shmmni",
    ])?;
    ensure!(own.success()?.out() == "1023\n4095", "what it asked for");
    for (flags, key) in [
        (&[][..], "vm.swappiness"),
        (&[], "kernel.core_pattern"),
        (&[], "net/../kernel/core_pattern"),
        (&["--network", "host"], "net.ipv4.ip_default_ttl"),
        (&["--ipc", "host"], "kernel.shmmni"),
        (&["--uts", "host"], "kernel.domainname"),
    ] {
        let file = format!("/proc/sys/{}", key.replace("net/../", "").replace('.', "/"));
        let now = std::fs::read_to_string(&file).with_context(|| file.clone())?;
        // What is there already, so that a failing test harms nobody.
        let setting = format!("{key}={}", now.trim());
        let words = [&["create", "--sysctl", &setting], flags, &["IMAGE", "true"]].concat();
        let done = world.davit(&words)?;
        ensure!(
            done.code != 0 && done.stderr.contains(&format!("sysctl '{key}' is not allowed")),
            "{words:?}: {done:?}"
        );
    }
    ensure!(world.davit(&["ps", "-aq"])?.success()?.out().is_empty(), "nothing was created");
    world.daemon.finish()
}
