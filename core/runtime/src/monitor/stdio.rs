//! FIFOs in the run directory. The container gets output FIFOs open for reading *and* writing, so that it never sees a
//! broken pipe, and a new monitor can open them again; of `stdin` the monitor keeps a write end.

use crate::log::Stream;
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Names in the run directory.
pub(crate) const STDIN: &str = "stdin";
pub(crate) const STDOUT: &str = "stdout";
pub(crate) const STDERR: &str = "stderr";

/// The monitor's ends.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) stdin: Option<OwnedFd>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
}

/// Makes the FIFOs anew.
pub(crate) fn make(run_dir: BorrowedFd<'_>, stdin: bool) -> io::Result<()> {
    if stdin {
        fifo(run_dir, STDIN)?;
    }
    fifo(run_dir, STDOUT)?;
    fifo(run_dir, STDERR)
}

/// Opens them for a container that starts; the answer: the monitor's ends, and what the container gets as 0, 1 and 2.
pub(super) fn open_all(run_dir: BorrowedFd<'_>, stdin: bool) -> io::Result<(Ends, Vec<OwnedFd>)> {
    let mut ends = Ends::default();
    let input = if stdin {
        let read = open(run_dir, STDIN, OFlags::RDONLY | OFlags::NONBLOCK)?;
        ends.stdin = Some(open(run_dir, STDIN, OFlags::WRONLY)?);
        rustix::fs::fcntl_setfl(&read, OFlags::empty())?;
        read
    } else {
        rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?
    };
    let mut given = vec![input];
    for (name, end) in [(STDOUT, &mut ends.stdout), (STDERR, &mut ends.stderr)] {
        *end = Some(open(run_dir, name, OFlags::RDONLY | OFlags::NONBLOCK)?);
        given.push(open(run_dir, name, OFlags::RDWR)?);
    }
    Ok((ends, given))
}

/// The output FIFOs that there are, open for reading.
pub(crate) fn outputs(run_dir: BorrowedFd<'_>) -> Vec<(Stream, OwnedFd)> {
    let names = [(Stream::Stdout, STDOUT), (Stream::Stderr, STDERR)];
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    names.into_iter().filter_map(|(stream, name)| Some((stream, open(run_dir, name, flags).ok()?))).collect()
}

/// Opens what there is, after another monitor died. The read ends are opened first: they do not wait for writers.
pub(super) fn reopen(run_dir: BorrowedFd<'_>) -> io::Result<Ends> {
    let there = |name, flags| match open(run_dir, name, flags) {
        Ok(fd) => Ok(Some(fd)),
        // ENXIO: nobody reads standard input any more.
        Err(e) if matches!(e.raw_os_error(), Some(nix::libc::ENOENT | nix::libc::ENXIO)) => Ok(None),
        Err(e) => Err(e),
    };
    Ok(Ends {
        stdin: there(STDIN, OFlags::WRONLY | OFlags::NONBLOCK)?,
        stdout: there(STDOUT, OFlags::RDONLY | OFlags::NONBLOCK)?,
        stderr: there(STDERR, OFlags::RDONLY | OFlags::NONBLOCK)?,
    })
}

fn fifo(run_dir: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    match rustix::fs::unlinkat(run_dir, name, rustix::fs::AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(e) => return Err(e.into()),
    }
    Ok(rustix::fs::mkfifoat(run_dir, name, Mode::from_raw_mode(0o600))?)
}

fn open(run_dir: BorrowedFd<'_>, name: &str, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(run_dir.as_fd(), name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}
