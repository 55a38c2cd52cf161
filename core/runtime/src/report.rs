//! What a monitor tells the engine, and asks and answers on its control socket.

use crate::failure::Failure;
use crate::record::ExitRecord;
use crate::socket;
use rustix::event::{PollFd, PollFlags, Timespec};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// A message on the report socket, in the order in which they come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// The process exists and prepares itself.
    Created {
        /// Its number on the host.
        pid: i32,
    },
    /// The terminal's master side is attached to this message.
    Terminal,
    /// All is prepared; it waits for [`Reports::go`].
    Ready,
    /// The program runs.
    Running,
    /// It did not start; nothing follows.
    Failed(Failure),
    /// It ended, all output is logged, the record is written; nothing follows.
    Exited(ExitRecord),
}

/// The engine's end of a report socket. As a descriptor it can be polled for reading.
#[derive(Debug)]
pub struct Reports(OwnedFd);

impl Reports {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// The next message with the descriptor that came with it; none: the monitor is gone. `TimedOut` at the deadline.
    pub fn next(&self, deadline: Duration) -> io::Result<Option<(Report, Option<OwnedFd>)>> {
        let got = receive_within(self.0.as_fd(), deadline)?;
        Ok(got.map(|(report, mut fds)| (report, fds.pop())))
    }

    /// Gives leave to start.
    pub fn go(&self) -> io::Result<()> {
        socket::send(self.0.as_fd(), b"go", &[])
    }
}

impl AsFd for Reports {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What can be asked of a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Who are you, and how far?
    Hello,
    /// Give the terminal this size.
    Resize {
        /// Lines.
        rows: u16,
        /// Columns.
        cols: u16,
    },
    /// Close the monitor's write end of standard input; the caller closes its own.
    CloseStdin,
    /// The terminal's master side.
    GetTty,
}

/// Its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// To [`Ask::Hello`].
    Hello {
        /// The first process's number on the host.
        pid: i32,
        /// Whether its program runs already.
        running: bool,
    },
    /// Done; with the descriptor for [`Ask::GetTty`].
    Done,
    /// Why not.
    Error(String),
}

/// Receives one JSON message, or `TimedOut`.
pub(crate) fn receive_within<T: DeserializeOwned>(
    from: BorrowedFd<'_>,
    deadline: Duration,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let deadline = Timespec {
        tv_sec: i64::try_from(deadline.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(deadline.subsec_nanos()),
    };
    let mut poll = [PollFd::new(&from, PollFlags::IN)];
    if rustix::io::retry_on_intr(|| rustix::event::poll(&mut poll, Some(&deadline)))? == 0 {
        return Err(io::ErrorKind::TimedOut.into());
    }
    socket::receive_json(from)
}
