//! How the engine speaks to launcher and monitors. Every call blocks at most for its deadline; the descriptors can be
//! polled, so that an asynchronous engine waits on them itself.

use super::request::{Head, Kind, Role, StreamKind};
use crate::init::{self, Filter};
use crate::monitor::{self, ExecSpec};
use crate::record::InitRecord;
use crate::report::{Answer, Ask, Reports, receive_within};
use crate::seccomp::Program;
use crate::socket;
use crate::spec::{LaunchSpec, Streams};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a request may wait to be taken.
const SEND_DEADLINE: Duration = Duration::from_secs(10);

/// A launcher that was started. Dropped, it ends once no container that it watches is left.
#[derive(Debug)]
pub struct Launcher {
    socket: OwnedFd,
    process: Child,
}

/// A container to start.
#[derive(Debug)]
pub struct StartRequest<'a> {
    /// What.
    pub spec: &'a LaunchSpec,
    /// Its run directory: FIFOs, control socket, records.
    pub run_dir: BorrowedFd<'a>,
    /// Its log, open for reading and writing.
    pub log: BorrowedFd<'a>,
    /// The storage driver's area, where the root is made of names in it.
    pub area: Option<BorrowedFd<'a>>,
    /// The network namespace to join.
    pub netns: Option<BorrowedFd<'a>>,
    /// How to join its control groups.
    pub cgroup: Option<&'a crate::cgroup::Joins>,
    /// The compiled filter.
    pub seccomp: Option<&'a Program>,
}

/// A process to run in a container.
#[derive(Debug)]
pub struct ExecRequest<'a> {
    /// What.
    pub spec: &'a ExecSpec,
    /// The container's first process: [`InitRecord::open`].
    pub target: BorrowedFd<'a>,
    /// Standard streams, in order; none with a terminal.
    pub stdio: Option<[BorrowedFd<'a>; 3]>,
    /// How to join the container's control groups.
    pub cgroup: Option<&'a crate::cgroup::Joins>,
    /// The compiled filter.
    pub seccomp: Option<&'a Program>,
}

/// A container whose monitor died.
#[derive(Debug)]
pub struct AdoptRequest<'a> {
    /// Its run directory.
    pub run_dir: BorrowedFd<'a>,
    /// Its log, open for reading and writing.
    pub log: BorrowedFd<'a>,
    /// Its first process.
    pub init: InitRecord,
    /// Its terminal's master side, where the engine kept it.
    pub terminal: Option<BorrowedFd<'a>>,
}

impl Launcher {
    /// Starts a launcher from a sealed copy of `binary` in memory, so that no container can ever write to the program
    /// that its monitor runs (CVE-2019-5736).
    pub fn spawn(binary: &Path) -> io::Result<Self> {
        let program = sealed("davit-runtime", &std::fs::read(binary)?, MemfdFlags::EXEC)?;
        let (socket, theirs) = socket::pair()?;
        set_socket_timeout(&socket, Timeout::Send, Some(SEND_DEADLINE))?;
        let process = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()))
            .arg("launch")
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { socket, process })
    }

    /// The launcher's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether it still runs. Containers and monitors do not depend on it.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Asks for a container. What becomes of it comes over the answer; its end without a word means that the request
    /// was dropped.
    pub fn start(&self, request: &StartRequest<'_>) -> io::Result<Reports> {
        let linux = request.spec.oci.linux().as_ref();
        let streams = match request.spec.streams {
            Streams::Terminal { .. } => StreamKind::Terminal,
            Streams::Fifos { stdin: true } => StreamKind::FifosWithStdin,
            Streams::Fifos { stdin: false } => StreamKind::Fifos,
            Streams::Inherited => StreamKind::Given,
        };
        let mut clone_flags = init::clone_flags(linux);
        if request.netns.is_some() {
            clone_flags &= !u64::from(nix::libc::CLONE_NEWNET.unsigned_abs());
        }
        let spec = sealed("davit-spec", &serde_json::to_vec(request.spec)?, MemfdFlags::empty())?;
        let filter =
            request.seccomp.map(|f| sealed("davit-filter", &Filter::encode(f), MemfdFlags::empty())).transpose()?;
        let mut fds = vec![(Role::Spec, spec.as_fd()), (Role::RunDir, request.run_dir), (Role::Log, request.log)];
        fds.extend(request.area.map(|fd| (Role::Area, fd)));
        fds.extend(request.netns.map(|fd| (Role::Netns, fd)));
        fds.extend(filter.as_ref().map(|fd| (Role::Seccomp, fd.as_fd())));
        fds.extend(joins(request.cgroup));
        self.send(Head { kind: Kind::Start, streams, clone_flags, pid: 0 }, fds)
    }

    /// Asks for a process in a container.
    pub fn exec(&self, request: &ExecRequest<'_>) -> io::Result<Reports> {
        let spec = sealed("davit-spec", &serde_json::to_vec(request.spec)?, MemfdFlags::empty())?;
        let filter =
            request.seccomp.map(|f| sealed("davit-filter", &Filter::encode(f), MemfdFlags::empty())).transpose()?;
        let mut fds = vec![(Role::Spec, spec.as_fd()), (Role::Target, request.target)];
        fds.extend(request.stdio.into_iter().flatten().map(|fd| (Role::Stdio, fd)));
        fds.extend(filter.as_ref().map(|fd| (Role::Seccomp, fd.as_fd())));
        fds.extend(joins(request.cgroup));
        self.send(Head { kind: Kind::Exec, streams: StreamKind::Given, clone_flags: 0, pid: 0 }, fds)
    }

    /// Asks for a new monitor of a running container; none where its first process is gone.
    pub fn adopt(&self, request: &AdoptRequest<'_>) -> io::Result<Option<Reports>> {
        let Some(target) = request.init.open()? else { return Ok(None) };
        let mut fds = vec![(Role::RunDir, request.run_dir), (Role::Log, request.log), (Role::Target, target.as_fd())];
        fds.extend(request.terminal.map(|fd| (Role::Stdio, fd)));
        let head = Head { kind: Kind::Adopt, streams: StreamKind::Given, clone_flags: 0, pid: request.init.pid };
        self.send(head, fds).map(Some)
    }

    fn send(&self, head: Head, fds: Vec<(Role, BorrowedFd<'_>)>) -> io::Result<Reports> {
        let (ours, theirs) = socket::pair()?;
        let fds = fds.into_iter().chain([(Role::Report, theirs.as_fd())]);
        let (roles, fds): (Vec<_>, Vec<_>) = fds.unzip();
        socket::send(self.socket.as_fd(), &head.encode(&roles), &fds)?;
        Ok(Reports::new(ours))
    }
}

fn joins(joins: Option<&crate::cgroup::Joins>) -> impl Iterator<Item = (Role, BorrowedFd<'_>)> {
    let tasks = joins.into_iter().flat_map(|j| j.tasks.iter().map(|fd| (Role::Tasks, fd.as_fd())));
    tasks.chain(joins.and_then(|j| j.unified.as_ref()).map(|fd| (Role::CgroupV2, fd.as_fd())))
}

/// Memory with a fixed content.
fn sealed(name: &str, content: &[u8], more: MemfdFlags) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = match rustix::fs::memfd_create(name, flags | more) {
        // MFD_EXEC is unknown before 6.3, where every memfd can be executed.
        Err(rustix::io::Errno::INVAL) => rustix::fs::memfd_create(name, flags),
        other => other,
    }?;
    let mut file = File::from(fd);
    file.write_all(content)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}

/// A connection to the monitor of a container.
#[derive(Debug)]
pub struct Control(OwnedFd);

impl Control {
    /// Connects through the run directory. `NotFound` or `ConnectionRefused`: no monitor lives.
    pub fn connect(run_dir: BorrowedFd<'_>) -> io::Result<Self> {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&socket, Timeout::Send, Some(SEND_DEADLINE))?;
        rustix::net::connect(&socket, &monitor::address(run_dir)?)?;
        Ok(Self(socket))
    }

    /// Asks, and waits for the answer; with it a descriptor for [`Ask::GetTty`]. `ConnectionAborted`: the monitor is gone.
    pub fn ask(&self, ask: Ask, deadline: Duration) -> io::Result<(Answer, Option<OwnedFd>)> {
        socket::send_json(self.0.as_fd(), &ask, &[])?;
        let (answer, mut fds) = receive_within(self.0.as_fd(), deadline)?.ok_or(io::ErrorKind::ConnectionAborted)?;
        Ok((answer, fds.pop()))
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
