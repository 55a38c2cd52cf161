//! What changes a container that is there: pause, stats, limits, names; with the docker command line and with ours.
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use anyhow::Result;
use davit_e2e::{Done, World, run};
use davit_fixtures::process::until;
use std::{process::Command, time::Duration};

const LOOP: &str = "trap 'exit 0' TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done";

/// Both command lines, the docker one where it is here.
fn clients(world: &World) -> Vec<Command> {
    let docker = Command::new("docker").arg("--version").output().is_ok_and(|o| o.status.success());
    if !docker {
        eprintln!("without the docker command line, which is not installed");
    }
    let mut all = vec![world.daemon.davit()];
    all.extend(docker.then(|| world.daemon.docker()));
    all
}

fn with(client: &Command, args: &[&str]) -> Result<Done> {
    let mut command = Command::new(client.get_program());
    command.args(client.get_args()).args(args);
    for (key, value) in client.get_envs() {
        if let Some(value) = value {
            command.env(key, value);
        }
    }
    run(command, None)
}

#[test]
fn a_paused_container_stands_still_until_it_is_let_go_or_ended() -> Result<()> {
    let mut world = World::start()?;
    world.pull()?;
    for client in clients(&world) {
        let lines = |world: &World| -> Result<usize> { Ok(world.davit(&["logs", "one"])?.stdout.lines().count()) };
        let status = |world: &World| -> Result<String> {
            Ok(world.davit(&["inspect", "-f", "{{.State.Status}}", "one"])?.success()?.out().to_owned())
        };
        world.davit(&["run", "-d", "--name", "one", "IMAGE", "sh", "-c", LOOP])?.success()?;
        with(&client, &["pause", "one"])?.success()?;
        assert_eq!(status(&world)?, "paused");
        let before = lines(&world)?;
        std::thread::sleep(Duration::from_millis(400));
        assert_eq!(lines(&world)?, before, "nothing is written");
        assert_eq!(with(&client, &["pause", "one"])?.code, 1, "it is paused already");
        let exec = with(&client, &["exec", "one", "true"])?;
        assert!(exec.code == 1 && exec.stderr.contains("unpause the container before exec"), "{exec:?}");
        world.daemon.kill()?;
        world.daemon.launch()?;
        assert_eq!(status(&world)?, "paused", "the next daemon finds it so");
        with(&client, &["unpause", "one"])?.success()?;
        std::thread::sleep(Duration::from_millis(400));
        assert!(status(&world)? == "running" && lines(&world)? > before);
        assert_eq!(with(&client, &["unpause", "one"])?.code, 1);
        // A signal that is to end it lets it go.
        with(&client, &["pause", "one"])?.success()?;
        with(&client, &["stop", "-t", "10", "one"])?.success()?;
        assert_eq!(world.davit(&["inspect", "-f", "{{.State.ExitCode}}", "one"])?.success()?.out(), "0");
        with(&client, &["start", "one"])?.success()?;
        with(&client, &["pause", "one"])?.success()?;
        with(&client, &["rm", "-f", "one"])?.success()?;
    }
    world.daemon.finish()
}

#[test]
fn stats_tell_what_a_container_uses() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let busy = ["run", "-d", "--name", "busy", "-m", "64m", "IMAGE", "sh", "-c", "while :; do :; done"];
    world.davit(&busy)?.success()?;
    world.davit(&["create", "--name", "idle", "IMAGE", "true"])?.success()?;
    let format = "{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.PIDs}}|{{.NetIO}}";
    for client in clients(&world) {
        let done = with(&client, &["stats", "--no-stream", "--format", format, "busy"])?.success()?;
        let row: Vec<&str> = done.out().split('|').collect();
        let [name, cpu, memory, pids, net] = row.as_slice() else { panic!("{done:?}") };
        assert_eq!((*name, *pids), ("busy", "1"));
        let percent: f64 = cpu.trim_end_matches('%').parse()?;
        assert!(percent > 1.0, "it loops: {cpu}");
        assert!(memory.ends_with(" / 64MiB") && !memory.starts_with("0B"), "{memory}");
        assert!(!net.starts_with("--"), "{net}");
        let all = with(&client, &["stats", "--no-stream", "--format", "{{.Name}}"])?.success()?;
        assert_eq!(all.out(), "busy", "those that run");
        assert_eq!(with(&client, &["stats", "--no-stream", "nosuch"])?.code, 1);
    }
    world.davit(&["rm", "-f", "busy", "idle"])?.success()?;
    world.daemon.finish()
}

#[test]
fn limits_and_names_change_while_a_container_runs() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    for client in clients(&world) {
        let run = ["run", "-d", "--name", "one", "-m", "64m", "--pids-limit", "50", "IMAGE", "sh", "-c", LOOP];
        world.davit(&run)?.success()?;
        let read = |script: &str| -> Result<String> {
            Ok(world.davit(&["exec", "one", "sh", "-c", script])?.success()?.out().to_owned())
        };
        let memory =
            || read("cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max");
        let pids = || read("cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max");
        assert_eq!((memory()?.as_str(), pids()?.as_str()), ("67108864", "50"));
        with(&client, &["update", "-m", "32m", "--memory-swap", "64m", "--restart", "on-failure:3", "one"])?
            .success()?;
        assert_eq!(memory()?, "33554432", "in force at once");
        let shown = "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}} \
                     {{.HostConfig.RestartPolicy.MaximumRetryCount}}";
        let seen = world.davit(&["inspect", "-f", shown, "one"])?.success()?;
        assert_eq!(seen.out(), "33554432 50 on-failure 3");
        with(&client, &["update", "--pids-limit", "-1", "one"])?.success()?;
        assert_eq!(pids()?, "max", "no limit any more");
        assert_eq!(world.davit(&["inspect", "-f", "{{.HostConfig.PidsLimit}}", "one"])?.success()?.out(), "-1");
        assert_eq!(with(&client, &["update", "-m", "1m", "one"])?.code, 1, "too little");
        with(&client, &["rename", "one", "two"])?.success()?;
        assert_eq!(world.davit(&["ps", "--format", "{{.Names}}"])?.success()?.out(), "two");
        assert_eq!(with(&client, &["rename", "one", "three"])?.code, 1, "there is no such name any more");
        world.davit(&["rm", "-f", "two"])?.success()?;
    }
    world.daemon.finish()
}

#[test]
fn info_says_what_the_kernel_can_limit() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let format = "{{.MemoryLimit}} {{.CPUShares}} {{.PidsLimit}}";
    let flags: [&[&str]; 3] = [&["-m", "64m"], &["--cpu-shares", "512"], &["--pids-limit", "20"]];
    for client in clients(&world) {
        let said = with(&client, &["info", "-f", format])?.success()?;
        for (can, flag) in said.out().split(' ').zip(flags) {
            let args = [&["run", "--rm"], flag, &["IMAGE", "true"]].concat();
            let done = world.davit(&args)?;
            assert_eq!(done.code == 0, can == "true", "{flag:?}: {said:?} {done:?}");
            assert!(can == "true" || done.stderr.contains("cannot be limited on this machine"), "{done:?}");
        }
    }
    let warned = world.davit(&["info", "-f", "{{.SwapLimit}} {{json .Warnings}}"])?.success()?;
    assert_eq!(warned.out().starts_with("false"), warned.out().contains("No swap limit support"), "{warned:?}");
    world.daemon.finish()
}

#[test]
fn a_restart_policy_brings_back_what_ends_and_heeds_who_stopped_it() -> Result<()> {
    let mut world = World::start()?;
    world.pull()?;
    let shown = |world: &World, what: &str, name: &str| -> Result<String> {
        Ok(world.davit(&["inspect", "-f", what, name])?.success()?.out().to_owned())
    };
    let is = |world: &World, name: &str, status: &str, why: &str| {
        until(Duration::from_secs(15), why, || Ok((shown(world, "{{.State.Status}}", name)? == status).then_some(())))
    };
    for (name, policy) in [("always", "always"), ("unless", "unless-stopped")] {
        world.davit(&["run", "-d", "--name", name, "--restart", policy, "IMAGE", "sh", "-c", LOOP])?.success()?;
        let pid = shown(&world, "{{.State.Pid}}", name)?.parse()?;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)?;
        until(Duration::from_secs(15), "it is started again", || {
            Ok((shown(&world, "{{.RestartCount}} {{.State.Status}}", name)? == "1 running").then_some(()))
        })?;
    }
    world.davit(&["kill", "-s", "TERM", "always"])?.success()?;
    is(&world, "always", "exited", "its stop signal was sent by hand")?;
    world.davit(&["stop", "unless"])?.success()?;
    world.daemon.kill()?;
    world.daemon.launch()?;
    is(&world, "always", "running", "the next daemon starts it, as docker's does")?;
    assert_eq!(shown(&world, "{{.State.Status}}", "unless")?, "exited");
    world.davit(&["rm", "-f", "always", "unless"])?.success()?;
    world.daemon.finish()
}
