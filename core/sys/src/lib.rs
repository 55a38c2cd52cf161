//! The system calls that no crate wraps well, one small file each; nothing here knows what a container is.
//!
//! [`clone`] makes processes (only ever from a process with one thread), [`mount`] changes attributes of mounts that
//! descriptors name, [`seccomp`] loads a filter, [`process`] changes what a process is until it becomes another program,
//! [`pidfd`] asks the kernel about a process, [`exec`] becomes another program, [`signals`] are masked and read,
//! [`bpf`] decides which devices a control group opens, [`btrfs`] makes subvolumes, [`quota`] limits trees, [`image`]
//! mounts read-only images, [`child`] ties a helper program to its caller. [`fault`] is for tests alone: where they end a program.
//! Every function returns the kernel's error number as [`std::io::Error`]; callers say which object it was about.

#![allow(unsafe_code, reason = "this crate is where system calls are made; each block gives its reason")]

pub mod bpf;
pub mod btrfs;
pub mod child;
pub mod clone;
pub mod exec;
pub mod fault;
pub mod image;
pub mod mount;
pub mod pidfd;
pub mod process;
pub mod quota;
pub mod seccomp;
pub mod signals;

use std::io;

/// The result of a raw system call as Rust writes it.
fn checked(result: nix::libc::c_long) -> io::Result<nix::libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
