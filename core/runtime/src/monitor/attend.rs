//! The monitor's loop, from the clone to the exit record.

use super::control::Control;
use super::stdio::Ends;
use crate::init::FromInit;
use crate::log::{self, Stream};
use crate::record::{self, ExitRecord};
use crate::report::{Answer, Ask, Report};
use crate::socket;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{WaitId, WaitIdOptions};
use rustix::termios::Winsize;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How often a monitor that is not the parent looks for the status, and how many times: 5 s in all.
const STATUS_TRIES: u32 = 1000;

/// A container that is attended.
#[derive(Debug)]
pub(super) struct Attended {
    pid: i32,
    process: OwnedFd,
    run_dir: OwnedFd,
    log: log::Writer,
    ends: Ends,
    control: Control,
    /// Towards the engine; none once it is gone.
    pub(super) report: Option<OwnedFd>,
    /// From init; none once its program runs.
    pub(super) channel: Option<OwnedFd>,
    terminal: Option<OwnedFd>,
    /// Whether the process is a child of ours.
    adopted: bool,
}

/// What is polled, by what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Process,
    Channel,
    Report,
    Stdout,
    Stderr,
    Terminal,
    Listener,
    Client(usize),
}

impl Attended {
    pub(super) fn new(pid: i32, process: OwnedFd, run_dir: OwnedFd, log: log::Writer, ends: Ends) -> io::Result<Self> {
        let control = Control::listen(run_dir.as_fd())?;
        let (report, channel, terminal) = (None, None, None);
        Ok(Self { pid, process, run_dir, log, ends, control, report, channel, terminal, adopted: false })
    }

    /// The same for a process that another monitor made; `terminal` where the engine kept its master side.
    pub(super) fn adopt(mut self, terminal: Option<OwnedFd>) -> Self {
        self.adopted = true;
        self.terminal = terminal;
        self
    }

    pub(super) fn run(mut self) -> io::Result<()> {
        if self.adopted {
            self.tell(&Report::Running, None);
        }
        loop {
            for (source, seen) in self.wait()? {
                match source {
                    Source::Process => return self.end(),
                    Source::Channel => {
                        if !self.hear_init() {
                            return Ok(());
                        }
                    }
                    Source::Report => self.report = None,
                    // Empty, and nobody can write to it again: it would only wake this process, again and again.
                    Source::Stdout if seen == PollFlags::HUP => self.ends.stdout = None,
                    Source::Stderr if seen == PollFlags::HUP => self.ends.stderr = None,
                    Source::Stdout => self.copy(Stream::Stdout),
                    Source::Stderr => self.copy(Stream::Stderr),
                    Source::Terminal => self.copy_terminal(),
                    Source::Listener => self.control.accept(),
                    Source::Client(at) => self.serve(at),
                }
            }
        }
    }

    /// Sleeps until something is there; the answer: where, and what.
    fn wait(&self) -> io::Result<Vec<(Source, PollFlags)>> {
        let sources = self.sources();
        let mut polls: Vec<_> = sources.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut polls, None))?;
        let seen = sources.iter().zip(&polls).map(|((source, ..), poll)| (*source, poll.revents()));
        Ok(seen.filter(|(_, seen)| !seen.is_empty()).collect())
    }

    /// What is waited for. The process's end comes last, so that what it wrote before is read first.
    fn sources(&self) -> Vec<(Source, BorrowedFd<'_>, PollFlags)> {
        let readable = [
            (Source::Channel, self.channel.as_ref()),
            (Source::Stdout, self.ends.stdout.as_ref()),
            (Source::Stderr, self.ends.stderr.as_ref()),
            (Source::Terminal, self.terminal.as_ref()),
        ];
        let mut all: Vec<_> =
            readable.into_iter().filter_map(|(s, fd)| Some((s, fd?.as_fd(), PollFlags::IN))).collect();
        // Only its end is of interest: what the engine sends there is for init.
        all.extend(self.report.as_ref().map(|fd| (Source::Report, fd.as_fd(), PollFlags::empty())));
        all.push((Source::Listener, self.control.listener(), PollFlags::IN));
        all.extend(self.control.clients().enumerate().map(|(at, fd)| (Source::Client(at), fd, PollFlags::IN)));
        // While init still prepares, its channel says how it went; the end of the process alone would not.
        if self.channel.is_none() {
            all.push((Source::Process, self.process.as_fd(), PollFlags::IN));
        }
        all
    }

    /// One message of init's; no: it failed, and all has been said.
    fn hear_init(&mut self) -> bool {
        let Some(channel) = &self.channel else { return true };
        match socket::receive_json(channel.as_fd()) {
            Ok(Some((FromInit::Terminal, mut fds))) => {
                self.terminal = fds.pop();
                if let Some(master) = self.terminal.as_ref().and_then(|t| t.try_clone().ok()) {
                    self.tell(&Report::Terminal, Some(master));
                }
            }
            Ok(Some((FromInit::Ready, _))) => self.tell(&Report::Ready, None),
            Ok(Some((FromInit::Failed(failure), _))) => {
                rustix::process::waitid(WaitId::PidFd(self.process.as_fd()), WaitIdOptions::EXITED).ok();
                // No record: a container that did not start has no end. The launcher must not take it for an orphan.
                rustix::fs::unlinkat(&self.run_dir, record::INIT, rustix::fs::AtFlags::empty()).ok();
                self.control.remove(self.run_dir.as_fd());
                self.tell(&Report::Failed(failure), None);
                return false;
            }
            Ok(None) | Err(_) => {
                self.channel = None;
                self.tell(&Report::Running, None);
            }
        }
        true
    }

    /// An engine that is gone, or does not read, misses messages, not state: that is in the run directory.
    fn tell(&mut self, report: &Report, fd: Option<OwnedFd>) {
        let Some(socket) = &self.report else { return };
        let fds: Vec<_> = fd.iter().map(AsFd::as_fd).collect();
        if socket::send_json(socket.as_fd(), report, &fds).is_err() {
            self.report = None;
        }
    }

    fn copy(&mut self, stream: Stream) {
        let end = match stream {
            Stream::Stdout => &self.ends.stdout,
            Stream::Stderr => &self.ends.stderr,
        };
        if let Some(fd) = end {
            self.log.take(fd.as_fd(), stream);
        }
    }

    fn copy_terminal(&mut self) {
        if let Some(master) = &self.terminal
            && !self.log.copy(master.as_fd(), Stream::Stdout)
        {
            // EIO also stands for "nobody has it open just now"; the process's end is what ends the container.
            self.drop_terminal_output();
        }
    }

    fn drop_terminal_output(&mut self) {
        let pause = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        let mut poll = [PollFd::new(&self.process, PollFlags::IN)];
        rustix::event::poll(&mut poll, Some(&pause)).ok();
    }

    /// All that is left goes to the log, then the record is written, then the engine hears of it.
    fn end(mut self) -> io::Result<()> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let end = match stream {
                Stream::Stdout => self.ends.stdout.take(),
                Stream::Stderr => self.ends.stderr.take(),
            };
            if let Some(fd) = end {
                while self.log.take(fd.as_fd(), stream) {}
            }
        }
        if let Some(master) = self.terminal.take() {
            let flags = rustix::fs::fcntl_getfl(&master)?;
            rustix::fs::fcntl_setfl(&master, flags | rustix::fs::OFlags::NONBLOCK)?;
            while self.log.copy(master.as_fd(), Stream::Stdout) {}
        }
        self.log.finish();
        let record = if self.adopted { self.status_of_orphan() } else { self.reap()? };
        record.write(self.run_dir.as_fd(), record::EXIT)?;
        self.control.remove(self.run_dir.as_fd());
        self.tell(&Report::Exited(record), None);
        Ok(())
    }

    fn reap(&self) -> io::Result<ExitRecord> {
        let status = rustix::process::waitid(WaitId::PidFd(self.process.as_fd()), WaitIdOptions::EXITED)?;
        Ok(status.map_or_else(ExitRecord::unknown, |s| ExitRecord::of(&s)))
    }

    /// The kernel knows (6.15), or the launcher, which reaped the process, has left it in the run directory.
    fn status_of_orphan(&self) -> ExitRecord {
        for _ in 0..STATUS_TRIES {
            if let Ok(Some(status)) = davit_sys::pidfd::exit_status(self.process.as_fd()) {
                return ExitRecord::of_wait_status(status);
            }
            if let Ok(Some(record)) = record::read_orphan(self.run_dir.as_fd()) {
                return record;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        ExitRecord::unknown()
    }

    fn serve(&mut self, at: usize) {
        let Some(ask) = self.control.receive(at) else { return };
        let mut fd = None;
        let answer = match ask {
            Ask::Hello => Answer::Hello { pid: self.pid, running: self.channel.is_none() },
            Ask::CloseStdin => {
                self.ends.stdin = None;
                // A later monitor must not hold it open again.
                rustix::fs::unlinkat(&self.run_dir, super::stdio::STDIN, rustix::fs::AtFlags::empty()).ok();
                Answer::Done
            }
            Ask::Resize { rows, cols } => self.with_terminal(|t| {
                let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
                Ok(rustix::termios::tcsetwinsize(t, size)?)
            }),
            Ask::GetTty => self.with_terminal(|t| {
                fd = Some(t.try_clone()?);
                Ok(())
            }),
        };
        self.control.answer(at, &answer, fd);
    }

    fn with_terminal(&self, run: impl FnOnce(&OwnedFd) -> io::Result<()>) -> Answer {
        let Some(terminal) = &self.terminal else { return Answer::Error("the container has no terminal".into()) };
        run(terminal).map_or_else(|e| Answer::Error(crate::failure::reason(&e)), |()| Answer::Done)
    }
}
