//! From a fresh child process to the container's program: everything between `clone3` and `execve`.
//!
//! It runs in a process of its own, with one thread, that inherited nothing but the descriptors of [`Input`]. The order
//! is the security argument: cgroups are joined before their namespace is made; the mount namespace is made while the
//! working directory is the storage area, which the kernel carries over; the root is pivoted to *before* anything is
//! mounted inside, so that a mistake could only reach the container itself; identity is given up after the last
//! privileged step; every descriptor is marked close-on-exec; the filter is loaded last.

mod cgroup;
mod cgroup_view;
mod devices;
mod filter;
mod identity;
mod image;
mod limits;
mod masks;
mod mounts;
mod namespaces;
mod options;
mod overlay;
mod own;
mod program;
mod resolve;
mod root;
mod secrets;
mod sysctl;
mod terminal;
mod workdir;

pub(crate) mod channel;
pub(crate) mod entry;

pub(crate) use cgroup::join as join_cgroups;
pub(crate) use channel::{Channel, FromInit};
pub(crate) use filter::Filter;
pub(crate) use limits::adjust_oom_score;
pub(crate) use namespaces::clone_flags;
pub(crate) use own::Surroundings;
pub(crate) use root::root_of;
pub(crate) use terminal::allocate_in as allocate_terminal;

use crate::failure::{At, Failure, Stage};
use crate::spec::{LaunchSpec, RootSource, Streams};
use davit_sys::{exec, process, signals};
use rustix::process::DumpableBehavior;
use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// How long init waits for leave to start before it gives up.
const GATE_DEADLINE: Duration = Duration::from_secs(120);

/// All that init is given.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) spec: LaunchSpec,
    /// The storage driver's area, where the root is [`RootSource::Area`].
    pub(crate) area: Option<OwnedFd>,
    /// The network namespace to join.
    pub(crate) netns: Option<OwnedFd>,
    /// Standard streams; empty with a terminal, or where those of this process stay.
    pub(crate) stdio: Vec<OwnedFd>,
    /// `tasks` files of cgroup v1 hierarchies, open for writing.
    pub(crate) cgroup_tasks: Vec<OwnedFd>,
    /// The compiled filter.
    pub(crate) seccomp: Option<Filter>,
    /// Towards the monitor.
    pub(crate) channel: Channel,
    /// A socket that the leave to start comes over; none: start at once.
    pub(crate) gate: Option<OwnedFd>,
    /// The namespaces of whoever starts it.
    pub(crate) surroundings: Surroundings,
}

/// Prepares and becomes the program, or reports why not and ends.
pub(crate) fn run(input: Input) -> ! {
    let Err(failure) = start(&input);
    let status = failure.exit_code();
    // Where the monitor is gone too, the exit status is all that is left to say it with.
    input.channel.failed(&failure).ok();
    exec::exit_now(status)
}

fn start(input: &Input) -> Result<Infallible, Failure> {
    let spec = &input.spec;
    let request = |what: &str| Failure::new(Stage::Request, format!("the specification has no {what}"));
    let process_spec = spec.oci.process().as_ref().ok_or_else(|| request("process"))?;
    let linux = spec.oci.linux().as_ref().ok_or_else(|| request("linux section"))?;

    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Stage::Clone, || "hide the process")?;
    rustix::process::setsid().at(Stage::Clone, || "start a session")?;
    signals::reset().at(Stage::Clone, || "reset signals")?;
    process::new_session_keyring().or_else(without_keyrings).at(Stage::Identity, || "join a new session keyring")?;
    adjust_oom_score(process_spec.oom_score_adj())?;
    join_cgroups(&input.cgroup_tasks)?;

    if let Some(area) = &input.area {
        rustix::process::fchdir(area).at(Stage::Root, || "enter the storage area")?;
    }
    namespaces::enter(linux, input.netns.as_ref().map(AsFd::as_fd))?;
    let read_only = spec.oci.root().as_ref().and_then(|r| r.readonly()).unwrap_or(false);
    let root = match &spec.root {
        RootSource::Path(path) => root::tree(path)?,
        RootSource::Area(mount) => root::from_area(mount, spec.overlay_tier)?,
    };
    let empty = Vec::new();
    let wanted = spec.oci.mounts().as_ref().unwrap_or(&empty);
    let sources = mounts::open_sources(wanted)?;
    let cgroups = cgroup_view::CgroupView::detect(wanted, linux)?;
    root::pivot(&root, linux.rootfs_propagation().as_deref())?;
    let procfs = mounts::own_procfs()?;
    mounts::mount_all(&root, wanted, sources, &cgroups)?;
    secrets::give(&root, &spec.secrets)?;

    rustix::process::umask(rustix::fs::Mode::empty());
    devices::make(&root, linux.devices().as_deref().unwrap_or_default(), wanted)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let tty = match spec.streams {
        Streams::Terminal { rows, cols } => Some(terminal::allocate(&root, &input.channel, rows, cols)?),
        Streams::Fifos { .. } | Streams::Inherited => None,
    };
    let own = input.surroundings.left(&procfs).at(Stage::Namespace, || "look at the container's namespaces")?;
    sysctl::apply(&procfs, linux.sysctl().as_ref(), own)?;
    namespaces::set_names(&spec.oci, own)?;
    masks::read_only(&root, linux.readonly_paths().as_deref().unwrap_or_default())?;
    masks::mask(&root, linux.masked_paths().as_deref().unwrap_or_default())?;
    root::finish(&root, read_only, linux.rootfs_propagation().as_deref())?;

    entry::Entry {
        process: process_spec,
        user: spec.user.as_deref(),
        groups: &spec.groups,
        root: root.as_fd(),
        tty,
        stdio: &input.stdio,
        seccomp: input.seccomp.as_ref(),
        make_workdir: true,
    }
    .run(&input.channel, input.gate.as_ref().map(AsFd::as_fd))
}

/// A kernel without keyrings has none to leak.
pub(crate) fn without_keyrings(error: std::io::Error) -> std::io::Result<()> {
    if error.raw_os_error() == Some(nix::libc::ENOSYS) { Ok(()) } else { Err(error) }
}
