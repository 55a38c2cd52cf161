//! Taking a running container over after its monitor was killed.

use super::attend::Attended;
use super::stdio;
use crate::launcher::request::{Request, Role};
use crate::log;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

pub(super) fn run(mut request: Request) -> io::Result<()> {
    let mut take = |role| request.take(role).ok_or(io::Error::from(io::ErrorKind::InvalidData));
    let (report, run_dir, log, target) =
        (take(Role::Report)?, take(Role::RunDir)?, take(Role::Log)?, take(Role::Target)?);
    let terminal = request.take(Role::Stdio);
    let ends = stdio::reopen(run_dir.as_fd())?;
    let log = log::Writer::new(File::from(log))?;
    let mut attended = Attended::new(request.head.pid, target, run_dir, log, ends)?.adopt(terminal);
    attended.report = Some(report);
    attended.run()
}
