//! Containers that run on their own: ps, logs, exec, stop, kill, wait, ports.

use anyhow::Result;
use davit_e2e::{World, http_get};
use davit_fixtures::process::until;
use std::time::{Duration, Instant};

const LOOP: &str = "echo started; trap 'echo term; exit 0' TERM; while :; do sleep 0.1; done";

#[test]
fn a_container_is_listed_logged_entered_and_stopped() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let id = world.davit(&["run", "-d", "--name", "one", "-l", "k=v", "IMAGE", "sh", "-c", LOOP])?.success()?;
    assert_eq!(id.out().len(), 64, "{id:?}");
    until(Duration::from_secs(10), "it wrote a line", || {
        Ok((world.davit(&["logs", "one"])?.out() == "started").then_some(()))
    })?;
    let listed = world.davit(&["ps", "--filter", "label=k=v", "--format", "{{.Names}} {{.State}}"])?.success()?;
    assert_eq!(listed.out(), "one running");
    let state = world.davit(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "one"])?.success()?;
    assert_eq!(state.out(), "running 0");
    assert_eq!(world.davit(&["exec", "one", "echo", "in"])?.success()?.out(), "in");
    assert_eq!(world.davit(&["exec", "one", "sh", "-c", "exit 9"])?.code, 9);
    assert_eq!(world.davit(&["exec", "one", "nosuchcommand"])?.code, 127);
    assert_eq!(world.davit_with_input(&["exec", "-i", "one", "cat"], b"piped")?.success()?.out(), "piped");
    let exec = ["exec", "-e", "A=b", "-w", "/tmp", "-u", "5", "one", "sh", "-c", "echo $A $(pwd) $(id -u)"];
    assert_eq!(world.davit(&exec)?.success()?.out(), "b /tmp 5");
    assert_eq!(world.davit(&["run", "-d", "--name", "one", "IMAGE", "true"])?.code, 125, "the name is taken");
    assert_eq!(world.davit(&["rm", "one"])?.code, 1, "it runs");
    let begun = Instant::now();
    world.davit(&["stop", "-t", "10", "one"])?.success()?;
    assert!(begun.elapsed() < Duration::from_secs(8), "it reacts to the signal");
    let state = world.davit(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "one"])?.success()?;
    assert_eq!(state.out(), "exited 0");
    assert_eq!(world.davit(&["logs", "one"])?.stdout, "started\nterm\n");
    world.davit(&["start", "one"])?.success()?;
    world.davit(&["kill", "one"])?.success()?;
    assert_eq!(world.davit(&["wait", "one"])?.success()?.out(), "137");
    world.davit(&["rm", "one"])?.success()?;
    assert_eq!(world.davit(&["inspect", "one"])?.code, 1);
    world.daemon.finish()
}

#[test]
fn logs_follow_to_the_end() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let script = "i=0; while [ $i -lt 8 ]; do echo line$i; i=$((i+1)); sleep 0.1; done";
    world.davit(&["run", "-d", "--name", "two", "IMAGE", "sh", "-c", script])?.success()?;
    let followed = world.davit(&["logs", "-f", "two"])?.success()?;
    assert_eq!(followed.stdout.lines().count(), 8, "{followed:?}");
    let tail = world.davit(&["logs", "--tail", "2", "-t", "two"])?.success()?;
    let lines: Vec<&str> = tail.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[1].ends_with("Z line7"), "{lines:?}");
    world.daemon.finish()
}

#[test]
fn a_published_port_answers_while_its_container_is_there() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    world.davit(&["run", "-d", "--name", "web", "-p", "127.0.0.1:0:8080", &world.web])?.success()?;
    let port = world.davit(&["port", "web", "8080"])?.success()?;
    let address = port.out().lines().next().unwrap_or_default().to_owned();
    let body = until(Duration::from_secs(10), "the port answers", || Ok(http_get(&address)))?;
    assert_eq!(body, "hello from davit\n");
    let taken = world.davit(&["run", "--rm", "-p", &format!("{address}:80"), "IMAGE", "true"])?;
    assert!(taken.code == 125 && taken.stderr.contains(address.rsplit(':').next().unwrap_or("")), "{taken:?}");
    world.davit(&["rm", "-f", "web"])?.success()?;
    assert_eq!(http_get(&address), None);
    world.daemon.finish()
}
