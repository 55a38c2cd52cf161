//! `top`: the processes of a container, as the host's `/proc` shows them.

use crate::{Engine, EngineError};
use std::{fs, time::Duration};

/// Titles and rows.
type Table = (Vec<String>, Vec<Vec<String>>);

impl Engine {
    /// The processes of a container. `ps_args` must be empty or `-ef`: this engine does not run the host's ps.
    pub async fn top(&self, name: &str, ps_args: &str) -> Result<Table, EngineError> {
        if !matches!(ps_args.trim(), "" | "-ef") {
            return Err(EngineError::invalid(format!("ps arguments {ps_args:?}: only -ef is possible")));
        }
        let container = self.inner.containers.find(name)?;
        if !container.read(|r| r.state.status.has_process()) {
            return Err(EngineError::conflict(format!("container {} is not running", container.id)));
        }
        let pids = self.inner.pids(&container)?;
        let titles = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];
        let rows = pids.into_iter().filter_map(row).collect();
        Ok((titles.iter().map(|t| t.to_string()).collect(), rows))
    }
}

/// One process; none where it has ended meanwhile (kernel, filesystems/proc.rst, "stat").
fn row(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    // The name may hold spaces and parentheses: the fields begin after the last one.
    let (head, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    let uid = status.lines().find_map(|l| l.strip_prefix("Uid:"))?.split_whitespace().next()?.to_owned();
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let cpu = Duration::from_secs((ticks(11) + ticks(12)) / per_second);
    let tty = fields.get(4).and_then(|f| f.parse::<i64>().ok()).unwrap_or(0);
    let tty = if tty == 0 { "?".to_owned() } else { format!("pts/{}", tty & 0xff) };
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ");
    let command = match (command.is_empty(), head.split_once('(')) {
        (true, Some((_, name))) => format!("[{name}]"),
        _ => command,
    };
    let started = boot_time() + i64::try_from(ticks(19) / per_second).unwrap_or(0);
    let started = jiff::Timestamp::from_second(started).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let stime = started.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M").to_string();
    let seconds = cpu.as_secs();
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parent = fields.get(1).unwrap_or(&"0").to_string();
    Some(vec![uid, pid.to_string(), parent, "0".to_owned(), stime, tty, time, command])
}

fn boot_time() -> i64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    stat.lines().find_map(|l| l.strip_prefix("btime ")).and_then(|t| t.trim().parse().ok()).unwrap_or(0)
}
