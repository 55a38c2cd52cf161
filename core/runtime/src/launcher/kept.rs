//! The launcher's hold on a container's output. A FIFO that nobody has open loses what is in it; with a monitor killed and
//! its container ended, that would be all that the monitor had not logged yet. The launcher reads only in that case.

use super::request::{Kind, Request, Role, StreamKind};
use crate::log::{Stream, Writer};
use crate::monitor::stdio;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

/// The log, and the ends of the output FIFOs where there are any.
#[derive(Debug, Default)]
pub(super) struct Kept {
    log: Option<OwnedFd>,
    ends: Vec<(Stream, OwnedFd)>,
}

impl Kept {
    /// Before the monitor is forked: a container that starts gets its FIFOs here. What fails is found again, and told of,
    /// by the monitor.
    pub(super) fn of(request: &Request) -> Self {
        let fd = |role| request.fds.iter().find(|(r, _)| *r == role).map(|(_, fd)| fd);
        let mut ends = Vec::new();
        if let Some(run_dir) = fd(Role::RunDir) {
            let stdin = request.head.streams == StreamKind::FifosWithStdin;
            let there = match (request.head.kind, request.head.streams) {
                (Kind::Start, StreamKind::Fifos | StreamKind::FifosWithStdin) => {
                    stdio::make(run_dir.as_fd(), stdin).is_ok()
                }
                (Kind::Adopt, _) => true,
                _ => false,
            };
            if there {
                ends = stdio::outputs(run_dir.as_fd());
            }
        }
        Self { log: fd(Role::Log).and_then(|log| log.try_clone().ok()), ends }
    }

    /// Logs what is left, where no monitor is there to do it.
    pub(super) fn log(&mut self) {
        let Some(mut log) = self.log.take().and_then(|log| Writer::new(File::from(log)).ok()) else { return };
        for (stream, end) in self.ends.drain(..) {
            while log.take(end.as_fd(), stream) {}
        }
        log.finish();
    }
}
