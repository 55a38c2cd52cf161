//! How the host process (and the compiler's) gives everything up, before it sees a byte of a component.
//!
//! Two processes, since a pid namespace is for children: the outer one makes the namespaces and starts the inner one in
//! them, then waits. The inner one leaves the file system for an empty one, becomes nobody in a user namespace without a
//! mapping, drops its capabilities, and, once its threads run, loads a filter that lets through what wasmtime and tokio
//! need of a process that only computes and talks over a socket that it has. One file stays open: the list of its own
//! pages, without their physical addresses.

use crate::engine;
use davit_sys::{process, seccomp};
use nix::{libc, sched::CloneFlags};
use rustix::{
    fs::CWD,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags,
        fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount, unmount,
    },
    process::{DumpableBehavior, Resource, Rlimit, Signal},
    thread::{CapabilitySet, CapabilitySets, Gid, Uid},
};
use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Command,
};

/// The last argument of the inner process.
const INNER: &str = "confined";
const NOBODY: u32 = 65_534;
/// Descriptors: the socket, an epoll instance, an event descriptor, and a memory image for each module that is loaded.
const DESCRIPTORS: u64 = 4096;

/// In the outer process: makes the namespaces, runs this program again in them, and answers true when that has ended. In
/// the inner one: false.
pub(super) fn outer() -> Result<bool, String> {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if words.last().is_some_and(|word| word == INNER) {
        return Ok(false);
    }
    let mut flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    if !rustix::process::geteuid().is_root() {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    // Whatever the daemon has inherited and does not know of.
    process::close_on_exec_from(3).map_err(|e| format!("closing descriptors: {e}"))?;
    nix::sched::unshare(flags).map_err(|e| format!("making namespaces for the plugin host: {e}"))?;
    let inner = Command::new("/proc/self/exe").args(words).arg(INNER).env_clear().current_dir("/").spawn();
    let mut inner = inner.map_err(|e| format!("starting the plugin host within its namespaces: {e}"))?;
    let status = inner.wait().map_err(|e| format!("waiting for the plugin host: {e}"))?;
    if status.success() { Ok(true) } else { Err(format!("the plugin host ended with {status}")) }
}

/// The socket that is standard input, which becomes nothing.
pub(super) fn standard_input() -> io::Result<UnixStream> {
    let socket: OwnedFd = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC, 0.into())?;
    process::install_standard(std::os::fd::AsFd::as_fd(&null), 0)?;
    Ok(socket.into())
}

/// Opens the list of this process's pages (`/proc/self/pagemap`), while there is a `/proc`, as somebody without
/// capabilities: for such the kernel leaves physical addresses out of it, whoever reads it later
/// (Documentation/admin-guide/mm/pagemap.rst). The caller has one thread.
pub(super) fn open_own_pages() -> io::Result<()> {
    let all = rustix::thread::capabilities(None)?;
    rustix::thread::set_capabilities(None, CapabilitySets { effective: CapabilitySet::empty(), ..all })?;
    // Where it cannot be had, calls cost more.
    let _ = engine::written_pages_are_known();
    rustix::thread::set_capabilities(None, all)?;
    Ok(())
}

/// Gives up files, identity and rights. The caller has one thread.
pub(super) fn enter() -> io::Result<()> {
    empty_root()?;
    process::new_session_keyring().or_else(|e| if e.raw_os_error() == Some(libc::ENOSYS) { Ok(()) } else { Err(e) })?;
    if rustix::process::geteuid().is_root() {
        rustix::thread::set_thread_groups(&[])?;
        let (gid, uid) = (Gid::from_raw(NOBODY), Uid::from_raw(NOBODY));
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        // A user namespace that maps nobody. Where the machine does not allow one to users, nobody without any capability
        // is what is left.
        let _ = nix::sched::unshare(CloneFlags::CLONE_NEWUSER);
    }
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    rustix::thread::set_no_new_privs(true)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    for (resource, limit) in [(Resource::Core, 0), (Resource::Nofile, DESCRIPTORS)] {
        rustix::process::setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    }
    // Changes of identity forget it, so it comes last. Where the parent has gone before, the daemon closes the socket.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(())
}

/// A file system with nothing in it, and no way back to the other.
fn empty_root() -> io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "nr_inodes", "1")?;
    fsconfig_set_string(&context, "mode", "0555")?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let empty = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    move_mount(&empty, "", CWD, "/proc", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    rustix::process::fchdir(&empty)?;
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    Ok(())
}

/// Confines a compiler: nothing is left but its standard streams.
///
/// # Errors
/// A text that says what could not be given up. True in the outer process, once the inner one has ended.
pub fn confine_compiler() -> Result<bool, String> {
    if outer()? {
        return Ok(true);
    }
    enter().and_then(|()| filter()).map_err(|e| format!("confining the compiler: {e}"))?;
    Ok(false)
}

/// What wasmtime, tokio and the allocator call.
const ALLOWED: &[libc::c_long] = &[
    // The socket and the standard streams that are there.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    // Waiting.
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_restart_syscall,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_getrandom,
    // The first content of a component's memories, which each instance maps anew.
    libc::SYS_memfd_create,
    libc::SYS_ftruncate,
    // Threads and signals of this process: `clone` is looked at below.
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Instructions of classic BPF over `seccomp_data` (seccomp(2)).
const LOAD_WORD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_SET: u16 = 0x45;
const RETURN: u16 = 0x06;
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// The low half of the first argument, where numbers are little-endian, and of the second.
const FIRST_ARGUMENT: u32 = 16;
const SECOND_ARGUMENT: u32 = 24;
/// `PAGEMAP_SCAN` of linux/fs.h: which pages were written.
const PAGEMAP_SCAN: u32 = 0xc060_6610;
#[cfg(target_arch = "x86_64")]
const THIS_ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const THIS_ARCHITECTURE: u32 = 0xc000_00b7;

fn program() -> Vec<u8> {
    let refuse = |errno: i32| libc::SECCOMP_RET_ERRNO | errno.unsigned_abs();
    let number = |call: libc::c_long| u32::try_from(call).unwrap_or(u32::MAX);
    let mut code: Vec<(u16, u8, u8, u32)> = vec![
        (LOAD_WORD, 0, 0, ARCHITECTURE),
        (JUMP_IF_EQUAL, 1, 0, THIS_ARCHITECTURE),
        (RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        (LOAD_WORD, 0, 0, NUMBER),
        // The C library tries clone3 first, whose flags a filter cannot see.
        (JUMP_IF_EQUAL, 0, 1, number(libc::SYS_clone3)),
        (RETURN, 0, 0, refuse(libc::ENOSYS)),
    ];
    for call in ALLOWED {
        code.push((JUMP_IF_EQUAL, 0, 1, number(*call)));
        code.push((RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    }
    code.extend([
        (JUMP_IF_EQUAL, 0, 4, number(libc::SYS_ioctl)),
        (LOAD_WORD, 0, 0, SECOND_ARGUMENT),
        (JUMP_IF_EQUAL, 0, 1, PAGEMAP_SCAN),
        (RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        (RETURN, 0, 0, refuse(libc::EPERM)),
        (JUMP_IF_EQUAL, 0, 3, number(libc::SYS_clone)),
        (LOAD_WORD, 0, 0, FIRST_ARGUMENT),
        // A thread of this process, never another process.
        (JUMP_IF_SET, 0, 1, libc::CLONE_THREAD.unsigned_abs()),
        (RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        (RETURN, 0, 0, refuse(libc::EPERM)),
    ]);
    let bytes = |(code, jt, jf, k): (u16, u8, u8, u32)| {
        let ([a, b], [c, d, e, f]) = (code.to_ne_bytes(), k.to_ne_bytes());
        [a, b, jt, jf, c, d, e, f]
    };
    code.into_iter().flat_map(bytes).collect()
}

/// Loads the filter for all threads of this process.
pub(super) fn filter() -> io::Result<()> {
    seccomp::load(&program(), libc::SECCOMP_FILTER_FLAG_TSYNC)
}
