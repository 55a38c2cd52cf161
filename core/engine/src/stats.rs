//! `stats`: what a container uses, read from its control group and its network namespace.

use crate::{Engine, EngineError, launch::cgroup_error};
use davit_runtime::cgroup;
use jiff::Timestamp;
use std::{collections::BTreeMap, time::Duration};

/// How long there is between two readings.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// One reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// When.
    pub time: Timestamp,
    /// The container's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What its control group says; nothing where it does not run.
    pub usage: cgroup::Stats,
    /// Interfaces by name; none where it does not run, or is on the host's network.
    pub networks: BTreeMap<String, Traffic>,
    /// CPU time of the whole machine since its start, in nanoseconds.
    pub system_cpu: u64,
    /// CPUs of the machine.
    pub cpus: usize,
    /// Memory of the machine: what limits a container without a limit.
    pub memory: u64,
    /// It runs.
    pub runs: bool,
}

/// What went through an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Received: bytes, packets, errors, dropped.
    pub received: [u64; 4],
    /// Sent: bytes, packets, errors, dropped.
    pub sent: [u64; 4],
}

impl Engine {
    /// A reading of now.
    pub async fn stats(&self, name: &str) -> Result<Reading, EngineError> {
        let container = self.inner.containers.find(name)?;
        let record = container.record();
        let (cgroups, path) = (self.inner.cgroups.clone(), self.inner.cgroup_path(&container.id));
        let look = move || {
            let runs = record.state.status.has_process();
            let mut reading = Reading {
                time: Timestamp::now(),
                id: record.id.to_string(),
                name: record.name.to_string(),
                system_cpu: system_cpu(),
                cpus: std::thread::available_parallelism().map_or(1, usize::from),
                memory: crate::info::memory_total(),
                runs,
                ..Reading::default()
            };
            if runs {
                match cgroups.open(&path).and_then(|group| group.stats()) {
                    Ok(usage) => reading.usage = usage,
                    // It has ended meanwhile.
                    Err(_) if cgroups.open(&path).is_err() => reading.runs = false,
                    Err(e) => return Err(cgroup_error(e)),
                }
                if record.spec.network != "host" {
                    let text = std::fs::read_to_string(format!("/proc/{}/net/dev", record.state.pid));
                    reading.networks = interfaces(&text.unwrap_or_default());
                }
            }
            Ok(reading)
        };
        tokio::task::spawn_blocking(look).await.map_err(|e| EngineError::internal("reading statistics", e))?
    }
}

/// `/proc/PID/net/dev` (proc_pid_net(5)): two lines of titles, then an interface a line, without the loopback.
fn interfaces(text: &str) -> BTreeMap<String, Traffic> {
    let interface = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers.split_whitespace().map_while(|n| n.parse().ok()).collect();
        let four = |from: usize| numbers.get(from..from + 4)?.try_into().ok();
        Some((name.trim().to_owned(), Traffic { received: four(0)?, sent: four(8)? }))
    };
    text.lines().filter_map(interface).filter(|(name, _)| name != "lo").collect()
}

/// The first line of `/proc/stat` (proc_stat(5)): time in all modes but those of guests, which count as user time.
fn system_cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = text.lines().next().unwrap_or_default().split_whitespace().skip(1).take(7);
    let ticks: u64 = ticks.filter_map(|n| n.parse::<u64>().ok()).sum();
    ticks.saturating_mul(1_000_000_000 / rustix::param::clock_ticks_per_second().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_read_without_the_loopback() {
        let text = "Inter-|   Receive                                                |  Transmit\n \
                    face |bytes    packets errs drop fifo frame compressed multicast|bytes packets errs drop\n    \
                    lo:  10 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0\n  eth0: 1500 7 1 2 0 0 0 0 900 5 3 4 0 0 0 0\n";
        let traffic = Traffic { received: [1500, 7, 1, 2], sent: [900, 5, 3, 4] };
        assert_eq!(interfaces(text), BTreeMap::from([("eth0".to_owned(), traffic)]));
        assert!(system_cpu() > 0);
    }
}
