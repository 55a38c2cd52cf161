//! The caller's terminal while the container has one of its own: raw, relayed both ways, put back at the end.

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Relays between standard streams and the container's terminal.
#[derive(Debug)]
pub(super) struct Console {
    master: OwnedFd,
    before: Option<Termios>,
    input_open: bool,
}

impl Console {
    /// Takes the caller's terminal over, where standard input is one.
    pub(super) fn new(master: OwnedFd) -> io::Result<Self> {
        let stdin = rustix::stdio::stdin();
        let mut before = None;
        if rustix::termios::isatty(stdin) {
            let state = rustix::termios::tcgetattr(stdin)?;
            let mut raw = state.clone();
            raw.make_raw();
            rustix::termios::tcsetattr(stdin, OptionalActions::Now, &raw)?;
            before = Some(state);
        }
        let console = Self { master, before, input_open: true };
        console.resize()?;
        Ok(console)
    }

    /// Gives the container's terminal the size of the caller's.
    pub(super) fn resize(&self) -> io::Result<()> {
        if self.before.is_some() {
            rustix::termios::tcsetwinsize(&self.master, rustix::termios::tcgetwinsize(rustix::stdio::stdin())?)?;
        }
        Ok(())
    }

    /// What to poll for.
    pub(super) fn polls(&self) -> [PollFd<'_>; 2] {
        let input = if self.input_open { PollFlags::IN } else { PollFlags::empty() };
        [
            PollFd::from_borrowed_fd(self.master.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(rustix::stdio::stdin(), input),
        ]
    }

    /// Moves one piece from the container; the answer: whether there may be more.
    pub(super) fn output(&self) -> io::Result<bool> {
        let mut buffer = [0; 8192];
        match rustix::io::read(&self.master, &mut buffer) {
            // EIO: nobody has the other side open any more.
            Ok(0) | Err(Errno::IO) => Ok(false),
            Err(Errno::INTR | Errno::AGAIN) => Ok(true),
            Ok(n) => write_all(rustix::stdio::stdout(), buffer.get(..n).unwrap_or_default()).map(|()| true),
            Err(e) => Err(e.into()),
        }
    }

    /// Moves one piece to the container.
    pub(super) fn input(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        match rustix::io::read(rustix::stdio::stdin(), &mut buffer) {
            Ok(0) | Err(Errno::IO) => {
                self.input_open = false;
                // The terminal's own end-of-file character: what is at the other side reads an end.
                write_all(self.master.as_fd(), &[4])
            }
            Ok(n) => write_all(self.master.as_fd(), buffer.get(..n).unwrap_or_default()),
            Err(Errno::INTR | Errno::AGAIN) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // The command ends here; a terminal that is gone needs no restoring.
            rustix::termios::tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, before).ok();
        }
    }
}

fn write_all(to: std::os::fd::BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = rustix::io::retry_on_intr(|| rustix::io::write(to, bytes))?;
        bytes = bytes.get(n..).unwrap_or_default();
    }
    Ok(())
}
