//! The program file of this very command, kept out of a container's reach (CVE-2019-5736).
//!
//! A container whose program is `/proc/self/exe` (or a script with that interpreter) runs *this* file, and could then
//! open it for writing. So the command first becomes itself again from a read-only clone of its own mount: through that,
//! the file cannot be opened for writing, whoever asks. The engine's launcher runs from sealed memory instead.

use super::{OciError, system};
use davit_sys::exec;
use davit_sys::mount::{self, MountAttr};
use rustix::fs::StatVfsMountFlags;
use rustix::mount::OpenTreeFlags;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

/// Comes back once the running image cannot be written through this process.
pub(super) fn protect() -> Result<(), OciError> {
    let image = "/proc/self/exe";
    let mounted = rustix::fs::statvfs(image).map_err(|e| system("look at the running program")(e.into()))?;
    if mounted.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Ok(());
    }
    let clone = read_only_clone(image).map_err(system("clone the mount of the running program"))?;
    let strings = |all: Vec<Vec<u8>>| all.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>();
    let args = strings(std::env::args_os().map(OsStringExt::into_vec).collect());
    let env = strings(std::env::vars_os().map(|(k, v)| [k.into_vec(), v.into_vec()].join(&b'=')).collect());
    let (Ok(args), Ok(env)) = (args, env) else {
        return Err(system("run the program again")(io::ErrorKind::InvalidInput.into()));
    };
    Err(system("run the program again from a read-only mount")(exec::execveat(clone.as_fd(), &args, &env)))
}

fn read_only_clone(image: &str) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let clone = rustix::mount::open_tree(rustix::fs::CWD, image, flags)?;
    let attr = MountAttr { set: nix::libc::MOUNT_ATTR_RDONLY, clear: 0, propagation: nix::libc::MS_PRIVATE };
    mount::set_attr(clone.as_fd(), false, attr)?;
    Ok(clone)
}
