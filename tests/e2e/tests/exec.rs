//! `exec` sessions: what they leave in the daemon, and how they go on when their client goes away.

use anyhow::{Result, ensure};
use davit_e2e::World;
use davit_fixtures::process::{Running, until};
use nix::sys::signal::Signal;
use std::{
    process::{Child, Stdio},
    time::Duration,
};

const SOON: Duration = Duration::from_secs(20);

/// The daemon's open descriptors, and those of them that are terminals of its sessions.
fn descriptors(world: &World) -> Result<(usize, usize)> {
    let mut found = (0, 0);
    for entry in std::fs::read_dir(format!("/proc/{}/fd", world.daemon.pid()))? {
        // It may be closed meanwhile.
        let Ok(target) = std::fs::read_link(entry?.path()) else { continue };
        found.0 += 1;
        found.1 += usize::from(target.ends_with("ptmx"));
    }
    Ok(found)
}

fn world() -> Result<World> {
    let world = World::start()?;
    world.pull()?;
    world.davit(&["run", "-d", "--name", "one", "IMAGE", "sleep", "1000"])?.success()?;
    Ok(world)
}

/// Until a file is there in the container.
fn comes_to_be(world: &World, file: &str) -> Result<()> {
    until(SOON, &format!("{file} is there"), || {
        Ok((world.davit(&["exec", "one", "test", "-e", file])?.code == 0).then_some(()))
    })
}

#[test]
fn sessions_with_a_terminal_leave_no_descriptor_behind() -> Result<()> {
    let world = world()?;
    // What is made once and kept is made in the first one.
    world.davit(&["exec", "-t", "one", "true"])?.success()?;
    let (before, _) = until(SOON, "the first is over", || Ok(Some(descriptors(&world)?).filter(|d| d.1 == 0)))?;
    for round in 0..30 {
        let done = world.davit(&["exec", "-t", "one", "echo", &round.to_string()])?.success()?;
        ensure!(done.out() == round.to_string(), "{done:?}");
    }
    until(SOON, "no terminal is left", || Ok((descriptors(&world)?.1 == 0).then_some(())))?;
    // Ended sessions are still known.
    until(SOON, "nothing else is left", || Ok((descriptors(&world)?.0 <= before + 2).then_some(())))?;
    for _ in 0..5 {
        world.davit(&["exec", "-d", "-t", "one", "sleep", "1000"])?.success()?;
    }
    ensure!(descriptors(&world)?.1 == 5, "each has a terminal: {:?}", descriptors(&world)?);
    world.davit(&["rm", "-f", "one"])?.success()?;
    until(SOON, "they went with the container", || Ok((descriptors(&world)?.1 == 0).then_some(())))?;
    world.daemon.finish()
}

#[test]
fn a_session_outlives_its_client_and_is_not_held_up_by_it() -> Result<()> {
    let world = world()?;
    // More than a pipe or a terminal takes unread.
    let script = |mark: &str| {
        format!(
            "i=0; while [ $i -lt 30 ]; do head -c 20000 /dev/zero | tr '\\0' x; echo; i=$((i+1)); sleep 0.05; done; \
             touch {mark}"
        )
    };
    for (mark, kind) in [("/piped", "-i"), ("/shown", "-t")] {
        let log = world.daemon.dir().join("client.out");
        let mut command = world.daemon.davit();
        let mut client = Running::start(command.args(["exec", kind, "one", "sh", "-c", &script(mark)]), &log)?;
        until(SOON, "it has begun to write", || Ok((std::fs::metadata(&log)?.len() > 0).then_some(())))?;
        client.signal(Signal::SIGKILL)?;
        client.wait(SOON)?;
        ensure!(world.davit(&["exec", "one", "test", "-e", mark])?.code == 1, "it ended before its client");
        comes_to_be(&world, mark)?;
    }
    until(SOON, "no terminal is left", || Ok((descriptors(&world)?.1 == 0).then_some(())))?;
    world.daemon.finish()
}

#[test]
fn the_input_of_a_session_ends_with_its_client() -> Result<()> {
    let world = world()?;
    let silent = "touch /begun; cat; touch /silent";
    // Its client is found to be gone when it takes no more output.
    let talking = "touch /begun; (while :; do echo more; done) & cat; kill $!; touch /talking";
    for (mark, script) in [("/silent", silent), ("/talking", talking)] {
        let mut command = world.daemon.davit();
        command.args(["exec", "-i", "one", "sh", "-c", script]);
        let mut client = Client(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?);
        comes_to_be(&world, "/begun")?;
        client.kill()?;
        comes_to_be(&world, mark)?;
        world.davit(&["exec", "one", "rm", "/begun"])?.success()?;
    }
    world.daemon.finish()
}

/// A client with an input that stays open until it is killed.
struct Client(Child);

impl Client {
    fn kill(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have been before.
        let _ = self.kill();
    }
}
