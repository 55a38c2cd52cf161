//! Bundles of a static busybox, and containers of them by the command line and by the launcher.

#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a harness fails by panic")]

use davit_runtime::launcher::client::{AdoptRequest, Launcher, StartRequest};
use davit_runtime::log::{Reader, Record};
use davit_runtime::record::{ExitRecord, InitRecord};
use davit_runtime::report::{Report, Reports};
use davit_runtime::spec::{LaunchSpec, RootSource, Streams};
use serde_json::{Value, json};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

pub const RUNTIME: &str = env!("CARGO_BIN_EXE_davit-runtime");
pub const SOON: Duration = Duration::from_secs(20);
const APPLETS: &[&str] = &[
    "sh", "ls", "cat", "true", "id", "echo", "sleep", "ps", "stat", "mount", "head", "tty", "stty", "hostname",
    "touch", "grep", "env", "pwd", "kill", "dd", "readlink", "wc", "mkdir", "test", "yes",
];

/// A bundle in a folder of its own, with Docker's defaults where the runtime is concerned.
#[derive(Debug)]
pub struct Bundle {
    pub dir: tempfile::TempDir,
    pub config: Value,
}

impl Bundle {
    /// `script` is run by a shell.
    pub fn new(script: &str) -> Self {
        Self::of(&["/bin/sh", "-c", script])
    }

    pub fn of(args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("rootfs");
        populate(&root);
        let caps = "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE \
                    SYS_CHROOT KILL AUDIT_WRITE";
        let caps: Vec<_> = caps.split_whitespace().map(|c| format!("CAP_{c}")).collect();
        let mount = |to: &str, fs: &str, options: &str| json!({"destination": to, "type": fs, "source": fs, "options": options.split(',').collect::<Vec<_>>()});
        let namespaces: Vec<_> =
            ["pid", "network", "ipc", "uts", "mount", "cgroup"].iter().map(|n| json!({"type": n})).collect();
        let config = json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": 0, "gid": 0}, "args": args, "env": ["PATH=/bin"], "cwd": "/", "noNewPrivileges": true,
                "capabilities": {"bounding": caps, "effective": caps, "permitted": caps},
            },
            "root": {"path": "rootfs"}, "hostname": "davit-test",
            "mounts": [
                mount("/proc", "proc", "nosuid,noexec,nodev"),
                mount("/dev", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
                mount("/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
                mount("/dev/shm", "tmpfs", "nosuid,noexec,nodev,mode=1777,size=65536k"),
                mount("/dev/mqueue", "mqueue", "nosuid,noexec,nodev"),
                mount("/sys", "sysfs", "nosuid,noexec,nodev,ro"),
                mount("/sys/fs/cgroup", "cgroup", "nosuid,noexec,nodev,ro"),
            ],
            "linux": {
                "namespaces": namespaces,
                "maskedPaths": ["/proc/acpi", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
                "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            },
        });
        Self { dir, config }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("rootfs")
    }

    /// `davit-runtime run` of it.
    pub fn command(&self) -> Command {
        std::fs::write(self.dir.path().join("config.json"), self.config.to_string()).unwrap();
        let mut command = Command::new(RUNTIME);
        let name = self.dir.path().file_name().unwrap().to_str().unwrap().trim_start_matches('.').to_owned();
        command.arg("--root").arg(self.dir.path().join("state")).args(["run", "-b"]).arg(self.dir.path()).arg(name);
        command
    }

    pub fn run(&self) -> Output {
        self.command().output().unwrap()
    }

    /// What it wrote, where it ended well.
    pub fn stdout(&self) -> String {
        let output = self.run();
        assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn launch_spec(&self, streams: Streams) -> LaunchSpec {
        LaunchSpec {
            oci: serde_json::from_value(self.config.clone()).unwrap(),
            root: RootSource::Path(self.root()),
            overlay_tier: None,
            secrets: Vec::new(),
            user: None,
            groups: Vec::new(),
            streams,
        }
    }
}

/// A root with a static busybox and its account files.
pub fn populate(root: &Path) {
    for folder in ["bin", "etc", "tmp", "root"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    // By a process of its own: a program that another test starts would inherit a descriptor that writes to it, and what is
    // written to cannot be run (ETXTBSY).
    let copied = Command::new("cp").arg("/bin/busybox").arg(root.join("bin/busybox")).status().unwrap();
    assert!(copied.success(), "busybox-static is not installed");
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
        .unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\nuser:x:1000:\naudio:x:29:user\n").unwrap();
}

/// A container started by a launcher, with its run directory.
#[derive(Debug)]
pub struct Started {
    pub dir: tempfile::TempDir,
    pub run_dir: OwnedFd,
    pub reports: Reports,
    pub pid: i32,
    pub terminal: Option<OwnedFd>,
}

pub fn launcher() -> Launcher {
    Launcher::spawn(Path::new(RUNTIME)).unwrap()
}

impl Started {
    /// Asks for it; its process exists when this answers.
    pub fn created(launcher: &Launcher, spec: &LaunchSpec) -> Self {
        let mut created = Self::asked(launcher, spec, None);
        let Some((Report::Created { pid }, _)) = created.reports.next(SOON).unwrap() else {
            panic!("created comes first")
        };
        created.pid = pid;
        created
    }

    /// Starts it and waits until it runs, or answers the failure.
    pub fn start(launcher: &Launcher, spec: &LaunchSpec, area: Option<&Path>) -> Result<Self, Report> {
        let mut started = Self::asked(launcher, spec, area);
        loop {
            match started.reports.next(SOON).unwrap().expect("the monitor says how it went") {
                (Report::Created { pid }, _) => started.pid = pid,
                (Report::Terminal, master) => started.terminal = master,
                (Report::Ready, _) => started.reports.go().unwrap(),
                (Report::Running, _) => return Ok(started),
                (other, _) => return Err(other),
            }
        }
    }

    fn asked(launcher: &Launcher, spec: &LaunchSpec, area: Option<&Path>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run_dir: OwnedFd = File::open(dir.path()).unwrap().into();
        let log = open_log(dir.path());
        let area = area.map(|a| File::open(a).unwrap());
        let reports = launcher
            .start(&StartRequest {
                spec,
                run_dir: run_dir.as_fd(),
                log: log.as_fd(),
                area: area.as_ref().map(AsFd::as_fd),
                netns: None,
                cgroup: None,
                seccomp: None,
            })
            .unwrap();
        Self { dir, run_dir, reports, pid: 0, terminal: None }
    }

    /// Waits for the end.
    pub fn exit(&self) -> ExitRecord {
        match self.reports.next(SOON).unwrap().expect("the end is reported") {
            (Report::Exited(record), _) => record,
            other => panic!("{other:?}"),
        }
    }

    pub fn records(&self) -> Vec<Record> {
        let mut reader = Reader::new(File::open(self.dir.path().join("output.log")).unwrap(), 0);
        std::iter::from_fn(|| reader.next_record().unwrap()).collect()
    }

    /// All output as text.
    pub fn output(&self) -> String {
        self.records().iter().map(|r| String::from_utf8_lossy(&r.payload).into_owned()).collect()
    }

    pub fn init(&self) -> InitRecord {
        InitRecord::read(self.run_dir.as_fd()).unwrap().unwrap()
    }

    /// The monitor's number: the parent of the first process.
    pub fn parent(&self) -> i32 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub fn adopt(&mut self, launcher: &Launcher) {
        let log = open_log(self.dir.path());
        let request =
            AdoptRequest { run_dir: self.run_dir.as_fd(), log: log.as_fd(), init: self.init(), terminal: None };
        self.reports = launcher.adopt(&request).unwrap().expect("it runs");
        assert_eq!(self.reports.next(SOON).unwrap().unwrap().0, Report::Running);
    }
}

fn open_log(dir: &Path) -> File {
    File::options().create(true).read(true).append(true).open(dir.join("output.log")).unwrap()
}

/// Looks again until it is so, for at most [`SOON`].
pub fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < SOON, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn kill(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}
