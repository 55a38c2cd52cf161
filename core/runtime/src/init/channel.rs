//! Between init and its monitor: a SOCK_SEQPACKET pair that closes at exec, which is how the monitor learns of it.

use crate::failure::Failure;
use crate::socket;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A message of init's. The end of the stream without one of `Failed` means: the program runs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FromInit {
    /// The terminal's master side is attached to this message.
    Terminal,
    /// All is prepared; init waits for leave to start.
    Ready,
    /// It will not start.
    Failed(Failure),
}

/// Init's end.
#[derive(Debug)]
pub(crate) struct Channel(pub(crate) OwnedFd);

impl Channel {
    pub(crate) fn pair() -> io::Result<(OwnedFd, Self)> {
        let (monitor, init) = socket::pair()?;
        Ok((monitor, Self(init)))
    }

    pub(crate) fn terminal(&self, master: BorrowedFd<'_>) -> io::Result<()> {
        socket::send_json(self.0.as_fd(), &FromInit::Terminal, &[master])
    }

    pub(crate) fn ready(&self) -> io::Result<()> {
        socket::send_json(self.0.as_fd(), &FromInit::Ready, &[])
    }

    pub(crate) fn failed(&self, failure: &Failure) -> io::Result<()> {
        socket::send_json(self.0.as_fd(), &FromInit::Failed(failure.clone()), &[])
    }
}
