//! Stopping, thawing and killing all processes of a group.
//!
//! The v2 hierarchy does all three well and is taken wherever the group is in one, on hybrid machines too: its frozen
//! processes can be killed, and `cgroup.kill` (5.14) misses nobody. Elsewhere the v1 freezer holds them while signals
//! go out, so that no fork escapes.

use super::{CgroupError, Group, file, group::MAX_DEPTH};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

impl Group {
    /// Stops every process, and returns when all of them are stopped.
    pub fn freeze(&self, patience: Duration) -> Result<(), CgroupError> {
        if let Some(dir) = self.v2_file("cgroup.freeze") {
            file::write(dir, "cgroup.freeze", "1")?;
            return self.until(patience, "is not frozen", || Ok(event(dir, "frozen") == Some(1)));
        }
        let dir = self.freezer()?;
        self.until(patience, "is not frozen", || {
            // A process that forked meanwhile leaves the group in FREEZING until it is told again.
            file::write(dir, "freezer.state", "FROZEN")?;
            Ok(file::read(dir, "freezer.state")?.trim() == "FROZEN")
        })
    }

    /// Lets them run again.
    pub fn thaw(&self, patience: Duration) -> Result<(), CgroupError> {
        if let Some(dir) = self.v2_file("cgroup.freeze") {
            file::write(dir, "cgroup.freeze", "0")?;
            return self.until(patience, "is still frozen", || Ok(event(dir, "frozen") == Some(0)));
        }
        let dir = self.freezer()?;
        file::write(dir, "freezer.state", "THAWED")?;
        self.until(patience, "is still frozen", || Ok(file::read(dir, "freezer.state")?.trim() == "THAWED"))
    }

    /// Whether the group is stopped.
    pub fn frozen(&self) -> Result<bool, CgroupError> {
        if let Some(dir) = self.v2_file("cgroup.freeze") {
            return Ok(event(dir, "frozen") == Some(1));
        }
        Ok(file::read(self.freezer()?, "freezer.state")?.trim() == "FROZEN")
    }

    /// Kills every process of the group and of those below it, and returns when they are gone. A zombie whose parent does
    /// not reap it counts as gone.
    pub fn kill(&self, patience: Duration) -> Result<(), CgroupError> {
        if let Some(dir) = self.v2_file("cgroup.kill") {
            // Where it fails the group is gone, or what follows finds out.
            let _ = file::write(dir, "cgroup.kill", "1");
        }
        self.until(patience, "still has processes", || {
            let pids = self.processes()?;
            if pids.is_empty() {
                return Ok(true);
            }
            let _ = self.freeze(Duration::from_millis(20));
            for pid in self.processes()? {
                signal(pid);
            }
            self.thaw(Duration::from_millis(100))?;
            Ok(false)
        })
    }

    /// Processes of the group and of those below it, as this process's pid namespace numbers them.
    pub fn processes(&self) -> Result<Vec<i32>, CgroupError> {
        let mut pids = Vec::new();
        // Processes may have joined some hierarchies only (a child that died on its way in).
        for dir in self.v2.iter().chain(self.v1.iter().map(|p| &p.dir)) {
            collect(dir.as_fd(), &mut pids, 0)?;
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    fn v2_file(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.v2.as_ref().map(AsFd::as_fd).filter(|d| file::exists(*d, name))
    }

    fn freezer(&self) -> Result<BorrowedFd<'_>, CgroupError> {
        let none = CgroupError::NoController { what: "running", controller: "freezer" };
        self.v1_dir("freezer").ok_or(none)
    }

    fn until(
        &self,
        patience: Duration,
        problem: &'static str,
        mut done: impl FnMut() -> Result<bool, CgroupError>,
    ) -> Result<(), CgroupError> {
        let start = Instant::now();
        let mut nap = Duration::from_micros(100);
        while !done()? {
            if start.elapsed() >= patience {
                return Err(CgroupError::Deadline {
                    path: self.path.clone(),
                    problem,
                    seconds: patience.as_secs_f64(),
                });
            }
            std::thread::sleep(nap);
            nap = (nap * 2).min(Duration::from_millis(5));
        }
        Ok(())
    }
}

fn event(dir: BorrowedFd<'_>, key: &str) -> Option<u64> {
    file::keyed(&file::read_raw(dir, "cgroup.events").ok()?, key)
}

fn signal(pid: i32) {
    let Some(pid) = Pid::from_raw(pid) else { return };
    if let Ok(fd) = pidfd_open(pid, PidfdFlags::empty()) {
        let _ = pidfd_send_signal(&fd, Signal::KILL);
    }
}

fn collect(dir: BorrowedFd<'_>, pids: &mut Vec<i32>, depth: u32) -> Result<(), CgroupError> {
    match file::read_raw(dir, "cgroup.procs") {
        // 0 stands for a process that our pid namespace does not see.
        Ok(text) => pids.extend(text.lines().filter_map(|l| l.parse::<i32>().ok()).filter(|p| *p > 0)),
        // A group that was removed has none.
        Err(e) if matches!(Errno::from_io_error(&e), Some(Errno::NODEV | Errno::NOENT)) => return Ok(()),
        // A threaded group (EOPNOTSUPP) lists its processes in the group above.
        Err(_) if depth > 0 => {}
        Err(source) => return Err(CgroupError::Read { file: "cgroup.procs".to_owned(), source }),
    }
    if depth >= MAX_DEPTH {
        return Ok(());
    }
    for name in file::children(dir).unwrap_or_default() {
        let child: Option<OwnedFd> = file::open_dir(dir, &name).ok();
        if let Some(child) = child {
            collect(child.as_fd(), pids, depth + 1)?;
        }
    }
    Ok(())
}
