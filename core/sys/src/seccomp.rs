//! `seccomp(2)`: loading a filter.

use crate::checked;
use nix::libc;
use std::io;

/// Installs a classic BPF program (instructions of 8 bytes, native byte order) as the filter of the calling thread.
/// `flags` are `SECCOMP_FILTER_FLAG_*` without those that return a descriptor.
pub fn load(program: &[u8], flags: u64) -> io::Result<()> {
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    let (instructions, rest) = program.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(invalid());
    }
    let mut code: Vec<libc::sock_filter> = instructions
        .iter()
        .map(|[a, b, jt, jf, k0, k1, k2, k3]| libc::sock_filter {
            code: u16::from_ne_bytes([*a, *b]),
            jt: *jt,
            jf: *jf,
            k: u32::from_ne_bytes([*k0, *k1, *k2, *k3]),
        })
        .collect();
    let program =
        libc::sock_fprog { len: u16::try_from(code.len()).map_err(|_| invalid())?, filter: code.as_mut_ptr() };
    // SAFETY: the kernel copies the program, which lives until the call returns, and its length is the one given.
    checked(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) })?;
    Ok(())
}
