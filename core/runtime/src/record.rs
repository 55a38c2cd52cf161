//! The exit record: how a container ended, in a file of its run directory that is written beside and renamed.

use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::WaitIdStatus;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::time::{SystemTime, UNIX_EPOCH};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// As a shell says it: the status, or 128 and the signal's number; 255 where nobody knows.
    pub status: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// When, in nanoseconds since 1970.
    pub finished: u64,
    /// Nobody was there to be told: launcher and monitor were both dead, and the kernel cannot say.
    #[serde(default)]
    pub unknown: bool,
}

impl ExitRecord {
    /// From what `waitid(2)` says.
    #[must_use]
    pub(crate) fn of(status: &WaitIdStatus) -> Self {
        let signal = status.terminating_signal();
        Self {
            status: status.exit_status().unwrap_or(128 + signal.unwrap_or(0)),
            signal,
            finished: now(),
            unknown: false,
        }
    }

    /// From a status as `wait(2)` encodes it.
    pub(crate) fn of_wait_status(status: i32) -> Self {
        let signal = Some(status & 0x7f).filter(|s| *s != 0);
        let status = signal.map_or((status >> 8) & 0xff, |s| 128 + s);
        Self { status, signal, finished: now(), unknown: false }
    }

    pub(crate) fn unknown() -> Self {
        Self { status: 255, signal: None, finished: now(), unknown: true }
    }

    /// Reads the record of a container that has ended; none while it has not.
    pub fn read(run_dir: BorrowedFd<'_>) -> io::Result<Option<Self>> {
        read_file(run_dir, EXIT)
    }

    pub(crate) fn write(&self, run_dir: BorrowedFd<'_>, name: &str) -> io::Result<()> {
        write_file(run_dir, name, self)
    }

    /// Makes the file that the record will be written to, with room for it: how a container ended is known whatever it
    /// filled.
    pub(crate) fn reserve(run_dir: BorrowedFd<'_>) -> io::Result<()> {
        match rustix::fs::fallocate(beside(run_dir, EXIT)?, FallocateFlags::KEEP_SIZE, 0, ROOM) {
            Err(Errno::OPNOTSUPP) => Ok(()),
            other => Ok(other?),
        }
    }
}

/// The exit record's name in the run directory.
pub const EXIT: &str = "exit";
/// No record is larger.
const ROOM: u64 = 4096;
/// Status left by the launcher for a monitor that is not the process's parent.
pub(crate) const ORPHAN_STATUS: &str = "exit.orphan";
/// The first process: [`InitRecord`].
pub const INIT: &str = "init";

/// Which process is the container's first. The start time tells a reused number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitRecord {
    /// Its number on the host.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`: clock ticks since boot.
    pub start_time: u64,
}

impl InitRecord {
    /// Looks the start time of `pid` up.
    pub fn of(pid: i32) -> io::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name in parentheses may itself have any character.
        let start_time = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(19)?.parse().ok())
            .ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { pid, start_time })
    }

    /// Reads it from a run directory; none where no process was made yet.
    pub fn read(run_dir: BorrowedFd<'_>) -> io::Result<Option<Self>> {
        read_file(run_dir, INIT)
    }

    /// A descriptor of the process, where it is still the same one and not yet reaped.
    pub fn open(&self) -> io::Result<Option<std::os::fd::OwnedFd>> {
        let Some(pid) = rustix::process::Pid::from_raw(self.pid) else { return Ok(None) };
        let pidfd = match rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            other => other?,
        };
        // Looked up after the descriptor was opened: the number cannot change hands in between unseen.
        Ok(Self::of(self.pid).ok().filter(|now| now == self).map(|_| pidfd))
    }
}

pub(crate) fn write_file<T: Serialize>(run_dir: BorrowedFd<'_>, name: &str, value: &T) -> io::Result<()> {
    let mut file = beside(run_dir, name)?;
    let text = serde_json::to_vec(value)?;
    file.write_all(&text)?;
    // Cut after it was written, not before: its room is kept. A killed writer may have left more.
    rustix::fs::ftruncate(&file, u64::try_from(text.len()).unwrap_or(u64::MAX))?;
    Ok(rustix::fs::renameat(run_dir, beside_name(name), run_dir, name)?)
}

/// What is renamed to `name` once it is whole.
fn beside_name(name: &str) -> String {
    format!("{name}.new")
}

fn beside(run_dir: BorrowedFd<'_>, name: &str) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(run_dir, beside_name(name), flags, Mode::from_raw_mode(0o600))?))
}

fn read_file<T: DeserializeOwned>(run_dir: BorrowedFd<'_>, name: &str) -> io::Result<Option<T>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(run_dir, name, flags, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        other => other?,
    };
    let mut text = Vec::new();
    File::from(file).take(ROOM).read_to_end(&mut text)?;
    Ok(Some(serde_json::from_slice(&text)?))
}

/// The orphan status, where the launcher left one.
pub(crate) fn read_orphan(run_dir: BorrowedFd<'_>) -> io::Result<Option<ExitRecord>> {
    read_file(run_dir, ORPHAN_STATUS)
}

pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    u64::try_from(now).unwrap_or(u64::MAX)
}
