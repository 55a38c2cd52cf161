//! Two daemons never share a root: the second says so and ends, and what the first runs goes on.

use anyhow::{Result, ensure};
use davit_e2e::{World, run};
use davit_fixtures::daemon::programs;
use std::process::Command;

#[test]
fn a_second_daemon_on_either_root_is_refused_and_harms_nothing_of_the_firsts() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    world.davit(&["run", "-d", "--name", "runs", "IMAGE", "sleep", "1000"])?.success()?;
    let other = tempfile::tempdir()?;
    let (data, exec) = (world.daemon.data_root(), world.daemon.exec_root());
    let (other_data, other_exec) = (other.path().join("data"), other.path().join("run"));
    let socket = format!("unix://{}", other.path().join("s").display());
    for (data, exec, says) in [(&other_data, &exec, "--exec-root"), (&data, &other_exec, "data")] {
        let mut second = Command::new(programs().join("davitd"));
        second.arg("--data-root").arg(data).arg("--exec-root").arg(exec).args(["-H", &socket]);
        let done = run(second, None)?;
        ensure!(done.code == 1 && done.stderr.contains(says) && done.stderr.contains("another"), "{done:?}");
    }
    let inside = world.davit(&["exec", "runs", "echo", "still here"])?.success()?;
    ensure!(inside.out() == "still here", "{inside:?}");
    world.davit(&["stop", "-t", "1", "runs"])?.success()?;
    let ended = world.davit(&["inspect", "-f", "{{.State.ExitCode}}", "runs"])?.success()?;
    ensure!(ended.out() == "137", "how it ended is known: {ended:?}");
    world.daemon.finish()
}
