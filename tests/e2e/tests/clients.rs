//! Docker's own clients towards davitd: the command line and docker-py.

use anyhow::Result;
use davit_e2e::{Done, World, run};
use davit_fixtures::process::until;
use std::{
    net::TcpListener,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// Why a client cannot be had; none where it is there.
fn missing(program: &str, args: &[&str]) -> Option<String> {
    let mut probe = Command::new(program);
    probe.args(args);
    match run(probe, None) {
        Ok(done) if done.code == 0 => None,
        Ok(done) => Some(format!("{program} {} ended with {}: {}", args.join(" "), done.code, done.stderr.trim())),
        Err(e) => Some(format!("{program}: {e:#}")),
    }
}

/// `docker ARGS`, with `IMAGE` standing for busybox.
fn docker(world: &World, args: &[&str]) -> Result<Done> {
    let mut command = world.daemon.docker();
    command.args(args.iter().map(|a| if *a == "IMAGE" { world.busybox.as_str() } else { a }));
    run(command, None)
}

#[test]
fn the_docker_command_line_runs_and_watches_containers() -> Result<()> {
    if let Some(reason) = missing("docker", &["--version"]) {
        println!("skipped: {reason}");
        return Ok(());
    }
    let world = World::start()?;
    docker(&world, &["version"])?.success()?;
    let pulled = docker(&world, &["pull", "IMAGE"])?.success()?;
    assert!(pulled.stdout.contains("Downloaded newer image"), "{pulled:?}");
    assert_eq!(docker(&world, &["run", "--rm", "IMAGE", "echo", "hello"])?.success()?.out(), "hello");
    assert_eq!(docker(&world, &["run", "--rm", "IMAGE", "sh", "-c", "exit 7"])?.code, 7);
    assert_eq!(docker(&world, &["run", "--rm", "IMAGE", "nosuchcommand"])?.code, 127);
    let apart = docker(&world, &["run", "--rm", "IMAGE", "sh", "-c", "echo out; echo err >&2"])?;
    assert_eq!((apart.stdout.as_str(), apart.stderr.as_str()), ("out\n", "err\n"));

    let script = "trap 'exit 0' TERM; i=0; while [ $i -lt 8 ]; do echo line$i; i=$((i+1)); sleep 0.1; done; \
                  while :; do sleep 0.1; done";
    let id = docker(&world, &["run", "-d", "--name", "one", "-l", "k=v", "IMAGE", "sh", "-c", script])?.success()?;
    assert_eq!(id.out().len(), 64, "{id:?}");
    let listed = docker(&world, &["ps", "--filter", "label=k=v", "--format", "{{.Names}} {{.State}}"])?.success()?;
    assert_eq!(listed.out(), "one running");
    let exec = ["exec", "-e", "A=b", "-w", "/tmp", "one", "sh", "-c", "echo $A $(pwd)"];
    assert_eq!(docker(&world, &exec)?.success()?.out(), "b /tmp");
    assert_eq!(docker(&world, &["exec", "one", "sh", "-c", "exit 9"])?.code, 9);

    std::thread::scope(|scope| {
        let follower = scope.spawn(|| docker(&world, &["logs", "-f", "one"]));
        until(Duration::from_secs(10), "all lines are written", || {
            Ok(docker(&world, &["logs", "one"])?.stdout.ends_with("line7\n").then_some(()))
        })?;
        let begun = Instant::now();
        docker(&world, &["stop", "-t", "20", "one"])?.success()?;
        assert!(begun.elapsed() < Duration::from_secs(15), "it reacts to the signal");
        let followed = follower.join().expect("no panic")?.success()?;
        assert_eq!(followed.stdout.lines().count(), 8, "{followed:?}");
        Ok::<_, anyhow::Error>(())
    })?;
    let state = docker(&world, &["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "one"])?.success()?;
    assert_eq!(state.out(), "exited 0");
    docker(&world, &["rm", "one"])?.success()?;
    assert_eq!(docker(&world, &["ps", "-aq"])?.success()?.out(), "");
    let gone = docker(&world, &["rm", "one"])?;
    assert!(gone.code == 1 && gone.stderr.contains("No such container: one"), "{gone:?}");
    world.daemon.finish()
}

#[test]
fn a_start_that_fails_is_told_once_by_the_docker_command_line() -> Result<()> {
    if let Some(reason) = missing("docker", &["--version"]) {
        println!("skipped: {reason}");
        return Ok(());
    }
    let world = World::start()?;
    docker(&world, &["pull", "-q", "IMAGE"])?.success()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = format!("{}:80", taken.local_addr()?);
    for (code, on_record, args) in [
        (127, "127", &["IMAGE", "nosuchcommand"][..]),
        (126, "126", &["IMAGE", "/etc"]),
        (125, "128", &["-p", &port, "IMAGE", "true"]),
    ] {
        for how in [&["--rm"][..], &["-d"], &[], &["-d", "--rm"], &["--restart", "on-failure:2"]] {
            let done = docker(&world, &[&["run"], how, args].concat())?;
            assert_eq!(done.code, code, "{how:?} {args:?}: {done:?}");
            let said: Vec<&str> =
                done.stderr.lines().filter(|l| !l.is_empty() && !l.starts_with("Run 'docker run --help'")).collect();
            assert!(
                said.len() == 1 && said[0].starts_with("docker: Error response from daemon: "),
                "{how:?}: {done:?}"
            );
        }
        let left = docker(&world, &["ps", "-aq"])?.success()?;
        assert_eq!(left.stdout.lines().count(), 3, "--rm leaves none: {left:?}");
        for id in left.stdout.lines() {
            assert_eq!(docker(&world, &["wait", id])?.success()?.out(), on_record);
            let again = docker(&world, &["start", "-a", id])?;
            assert!(again.code != 0 && again.stderr.lines().count() == 1, "{again:?}");
            docker(&world, &["rm", id])?.success()?;
        }
    }
    world.daemon.finish()
}

#[test]
fn a_terminal_of_the_docker_command_line_is_one_in_the_container() -> Result<()> {
    for (program, args) in [("docker", ["--version"]), ("script", ["--version"])] {
        if let Some(reason) = missing(program, &args) {
            println!("skipped: {reason}");
            return Ok(());
        }
    }
    let world = World::start()?;
    docker(&world, &["pull", "-q", "IMAGE"])?.success()?;
    // `script` gives the client a pseudo-terminal of its own and ends with the client's status.
    let mut command = Command::new("script");
    for (name, value) in world.daemon.docker().get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let line = format!("stty cols 91 rows 33; docker run --rm -it {} sh", world.busybox);
    command.args(["-qec", &line, "/dev/null"]);
    let typed = b"test -t 0 && test -t 1 && echo is-a-$((6*7))-tty\nsleep 1; stty size\nexit 5\n";
    let done = run(command, Some(typed))?;
    assert_eq!(done.code, 5, "{done:?}");
    assert!(done.stdout.contains("is-a-42-tty"), "{done:?}");
    assert!(done.stdout.contains("33 91"), "the window's size is passed on: {done:?}");
    assert_eq!(docker(&world, &["ps", "-aq"])?.success()?.out(), "");
    world.daemon.finish()
}

#[test]
fn docker_py_does_the_same() -> Result<()> {
    if let Some(reason) = missing("python3", &["-c", "import docker"]) {
        println!("skipped: {reason}");
        return Ok(());
    }
    let world = World::start()?;
    let mut command = Command::new("python3");
    command.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/client.py")).arg(&world.busybox);
    command.env("DOCKER_HOST", world.daemon.host()).env("DOCKER_CONFIG", world.daemon.dir().join(".docker"));
    let done = run(command, None)?.success()?;
    assert_eq!(done.out(), "all as expected", "{done:?}");
    assert_eq!(world.davit(&["ps", "-aq"])?.success()?.out(), "");
    world.daemon.finish()
}
