//! `davit run`: output, status, streams, environment, isolation.

use anyhow::Result;
use davit_e2e::World;

/// One run and what it must give.
struct Case {
    what: &'static str,
    args: &'static [&'static str],
    code: i32,
    out: &'static str,
}

const fn case(what: &'static str, args: &'static [&'static str], code: i32, out: &'static str) -> Case {
    Case { what, args, code, out }
}

#[rustfmt::skip] // a table, a row a line
const CASES: &[Case] = &[
    case("output", &["IMAGE", "echo", "hello", "world"], 0, "hello world"),
    case("exit status passes", &["IMAGE", "sh", "-c", "exit 7"], 7, ""),
    case("a signal shows as 128 + n", &["IMAGE", "sh", "-c", "kill -9 $$; sleep 1; echo as pid 1 it is not deadly"], 0, "as pid 1 it is not deadly"),
    case("command not found", &["IMAGE", "nosuchcommand"], 127, ""),
    case("command not executable", &["IMAGE", "/etc"], 126, ""),
    case("environment", &["-e", "A=1", "-e", "B=x y", "IMAGE", "sh", "-c", "echo $A-$B"], 0, "1-x y"),
    case("working directory is made", &["-w", "/new/dir", "IMAGE", "pwd"], 0, "/new/dir"),
    case("user by number", &["-u", "123:456", "IMAGE", "sh", "-c", "echo $(id -u) $(id -g)"], 0, "123 456"),
    case("user by name, with its groups", &["-u", "web", "IMAGE", "sh", "-c", "echo $(id -u) $(id -G) $HOME"], 0, "1000 1000 1001 /www"),
    case("entry point", &["--entrypoint", "/bin/echo", "IMAGE", "ep"], 0, "ep"),
    case("host name", &["--hostname", "h1", "IMAGE", "hostname"], 0, "h1"),
    case("hosts names it", &["--hostname", "h2", "IMAGE", "sh", "-c", "grep -c h2 /etc/hosts"], 0, "1"),
    case("pid 1 is the command", &["IMAGE", "sh", "-c", "echo $$"], 0, "1"),
    case("docker's capabilities", &["IMAGE", "sh", "-c", "grep CapEff /proc/self/status | cut -f2"], 0, "00000000a80425fb"),
    case("no inheritable capabilities", &["IMAGE", "sh", "-c", "grep CapInh /proc/self/status | cut -f2"], 0, "0000000000000000"),
    case("seccomp is on", &["IMAGE", "sh", "-c", "grep ^Seccomp: /proc/self/status | cut -f2"], 0, "2"),
    case("mount is refused", &["IMAGE", "sh", "-c", "mount -t tmpfs t /tmp 2>/dev/null || echo refused"], 0, "refused"),
    case("/proc/sys is read-only", &["IMAGE", "sh", "-c", "(echo 1 > /proc/sys/kernel/panic) 2>/dev/null || echo refused"], 0, "refused"),
    case("/proc/kcore is masked", &["IMAGE", "sh", "-c", "head -c 1 /proc/kcore | wc -c"], 0, "0"),
    // Of a process that was there before the shell made its pipe.
    case("no descriptor leaks in", &["IMAGE", "sh", "-c", "sleep 100 & ls /proc/$!/fd | tr '\\n' ' '"], 0, "0 1 2"),
    case("a terminal", &["-t", "IMAGE", "sh", "-c", "test -t 0 && test -t 1 && echo tty"], 0, "tty"),
    case("memory limit", &["--memory", "32m", "IMAGE", "sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"], 0, "33554432"),
    case("pids limit", &["--pids-limit", "50", "IMAGE", "sh", "-c", "cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max"], 0, "50"),
    case("network none has loopback alone", &["--network", "none", "IMAGE", "sh", "-c", "ls /sys/class/net | tr '\\n' ' '"], 0, "lo"),
    case("default network has an address", &["IMAGE", "sh", "-c", "ip -4 addr show eth0 | grep -c 'inet '"], 0, "1"),
    case("read-only root", &["--read-only", "IMAGE", "sh", "-c", "(echo x > /f) 2>/dev/null || echo refused"], 0, "refused"),
    case("tmpfs", &["--tmpfs", "/t:size=1m", "IMAGE", "sh", "-c", "mount | grep -c 'on /t type tmpfs'"], 0, "1"),
];

#[test]
fn a_run_is_what_docker_users_expect() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let mut wrong = Vec::new();
    for case in CASES {
        let args: Vec<&str> = ["run", "--rm"].into_iter().chain(case.args.iter().copied()).collect();
        let done = world.davit(&args)?;
        if done.code != case.code || (done.code == 0 && done.out() != case.out) {
            wrong.push(format!("{}: want {} {:?}, got {done:?}", case.what, case.code, case.out));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(world.davit(&["ps", "-aq"])?.success()?.out(), "", "--rm leaves none");
    world.daemon.finish()
}

#[test]
fn streams_are_kept_apart_and_input_ends() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let done = world.davit(&["run", "--rm", "IMAGE", "sh", "-c", "echo out; echo err >&2"])?.success()?;
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("out\n", "err\n"));
    let done = world.davit_with_input(&["run", "--rm", "-i", "IMAGE", "wc", "-l"], b"a\nb\n")?.success()?;
    assert_eq!(done.out(), "2");
    let megabyte = vec![0; 1 << 20];
    let done = world.davit_with_input(&["run", "--rm", "-i", "IMAGE", "wc", "-c"], &megabyte)?.success()?;
    assert_eq!(done.out(), "1048576");
    let done = world.davit_with_input(&["run", "--rm", "-i", "IMAGE", "cat"], &megabyte)?.success()?;
    assert_eq!(done.stdout.len(), 1 << 20, "a megabyte comes back whole");
    world.daemon.finish()
}

#[test]
fn bad_requests_are_told_in_one_line_and_leave_nothing() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    for (args, code, says) in [
        (vec!["run", "--rm", "127.0.0.1:1/no/such:image"], 125, "127.0.0.1:1"),
        (vec!["run", "--rm", "--nosuchflag", "IMAGE"], 125, "nosuchflag"),
        (vec!["run", "--rm", "UPPER/case"], 125, "invalid reference format"),
        (vec!["run", "--rm", "--memory", "lots", "IMAGE"], 125, "lots"),
        (vec!["run", "--rm", "--network", "nosuch", "IMAGE", "true"], 125, "nosuch"),
        (vec!["run", "--rm", "-u", "nobodyhere", "IMAGE", "true"], 125, "nobodyhere"),
        (vec!["rm", "nosuch"], 1, "No such container: nosuch"),
        (vec!["inspect", "nosuch"], 1, "nosuch"),
    ] {
        let done = world.davit(&args)?;
        assert!(done.code == code && done.stderr.contains(says), "{args:?}: want {code} {says:?}, got {done:?}");
        assert!(!done.stderr.contains("panicked"), "{done:?}");
    }
    assert_eq!(world.davit(&["ps", "-aq"])?.success()?.out(), "");
    world.daemon.finish()
}

#[test]
fn bind_mounts_are_read_and_kept_read_only() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    let file = world.daemon.dir().join("shared");
    std::fs::create_dir(&file)?;
    std::fs::write(file.join("f"), "bound\n")?;
    let bind = |mode: &str| format!("{}:/b{mode}", file.display());
    assert_eq!(world.davit(&["run", "--rm", "-v", &bind(""), "IMAGE", "cat", "/b/f"])?.success()?.out(), "bound");
    let script = "(echo x > /b/f) 2>/dev/null || echo refused";
    let done = world.davit(&["run", "--rm", "-v", &bind(":ro"), "IMAGE", "sh", "-c", script])?.success()?;
    assert_eq!(done.out(), "refused");
    world.davit(&["run", "--rm", "-v", &bind(""), "IMAGE", "sh", "-c", "echo new > /b/g"])?.success()?;
    assert_eq!(std::fs::read_to_string(file.join("g"))?, "new\n");
    world.daemon.finish()
}

#[test]
fn what_removes_itself_at_its_end_can_be_removed_by_force() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    for round in 0..30 {
        let id = world.davit(&["run", "-d", "--rm", "IMAGE", "sleep", "1000"])?.success()?;
        let done = world.davit(&["rm", "-f", id.out()])?;
        assert!(done.code == 0 && done.stderr.is_empty(), "round {round}: {done:?}");
    }
    assert_eq!(world.davit(&["ps", "-aq"])?.success()?.out(), "");
    world.daemon.finish()
}

#[test]
fn twenty_runs_at_once_do_not_disturb_each_other() -> Result<()> {
    let world = World::start()?;
    world.pull()?;
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..20)
            .map(|i| {
                let world = &world;
                scope.spawn(move || world.davit(&["run", "--rm", "IMAGE", "echo", &format!("p{i}")]))
            })
            .collect();
        for (i, run) in runs.into_iter().enumerate() {
            let done = run.join().expect("no panic")?.success()?;
            assert_eq!(done.out(), format!("p{i}"));
        }
        Ok::<_, anyhow::Error>(())
    })?;
    world.daemon.finish()
}
