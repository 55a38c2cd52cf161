//! What plugins said last, for operators who ask, and as it is said for those who follow. The daemon's own log has it all.

use davit_engine::policy::LogLine;
use davit_model::services::LogLevel;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};
use tokio::sync::broadcast;

/// How many lines are kept of each plugin.
const KEPT: usize = 1000;
/// How far a follower may fall behind.
const BEHIND: usize = 256;

/// The lines of all plugins, by the names of the site's file.
#[derive(Debug, Default)]
pub(crate) struct PluginLogs(Mutex<BTreeMap<String, Log>>);

#[derive(Debug)]
struct Log {
    lines: VecDeque<LogLine>,
    live: broadcast::Sender<LogLine>,
}

impl Default for Log {
    fn default() -> Self {
        Self { lines: VecDeque::new(), live: broadcast::Sender::new(BEHIND) }
    }
}

impl PluginLogs {
    pub(super) fn add(&self, plugin: &str, level: LogLevel, text: &str) {
        let line = LogLine { at: Timestamp::now(), level: word(level), text: text.to_owned() };
        self.with(plugin, |log| {
            if log.lines.len() >= KEPT {
                log.lines.pop_front();
            }
            log.lines.push_back(line.clone());
            // An error says that nobody follows.
            let _ = log.live.send(line);
        });
    }

    /// The last lines, and those to come.
    pub(crate) fn of(&self, plugin: &str) -> (Vec<LogLine>, broadcast::Receiver<LogLine>) {
        self.with(plugin, |log| (log.lines.iter().cloned().collect(), log.live.subscribe()))
    }

    fn with<T>(&self, plugin: &str, f: impl FnOnce(&mut Log) -> T) -> T {
        f(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(plugin.to_owned()).or_default())
    }
}

fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_followers_get_the_next() {
        let logs = PluginLogs::default();
        for n in 0..KEPT + 5 {
            logs.add("p", LogLevel::Info, &n.to_string());
        }
        let (past, mut live) = logs.of("p");
        assert_eq!((past.len(), past[0].text.as_str()), (KEPT, "5"));
        logs.add("p", LogLevel::Warn, "new");
        assert_eq!(live.try_recv().map(|line| (line.level, line.text)), Ok(("warn", "new".to_owned())));
        assert!(logs.of("q").0.is_empty());
    }
}
