//! `restart` by hand, and the restart policy's decision when a container ends.

use crate::{Engine, EngineError, Kind, StopOptions, record::ContainerRecord};
use davit_model::id::Caller;
use std::time::Duration;

impl Engine {
    /// Stops a container, where it runs, and starts it.
    pub async fn restart(&self, caller: &Caller, name: &str, options: &StopOptions) -> Result<(), EngineError> {
        match self.stop(caller, name, options).await {
            Err(e) if e.kind() != Kind::NotModified => return Err(e),
            _ => {}
        }
        match self.start(caller, name).await {
            // Somebody else started it in between.
            Err(e) if e.kind() == Kind::NotModified => {}
            other => other?,
        }
        let container = self.inner.containers.find(name)?;
        self.publish("container.restart", container.id.as_str(), crate::create::event_attributes(&container.record()));
        Ok(())
    }
}

/// A run that lasted so long was no failed try.
const GOOD_RUN: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);

/// How long to wait before the container that has just ended is started again; none: it stays down. The wait doubles
/// from 100 ms to a minute, and is short again after a run of ten seconds, as Docker's.
pub(crate) fn restart_delay(record: &ContainerRecord) -> Option<Duration> {
    let again = match record.spec.restart_policy.as_deref().unwrap_or("no") {
        "always" | "unless-stopped" => !record.state.stopped_by_hand,
        "on-failure" => {
            let left = record.spec.restart_max == 0 || record.state.restarts < record.spec.restart_max;
            record.state.exit_code != 0 && left && !record.state.stopped_by_hand
        }
        _ => false,
    };
    let lasted = record.state.finished.zip(record.state.started).map(|(end, start)| end.duration_since(start));
    let doublings = if lasted.is_some_and(|l| l >= GOOD_RUN) { 0 } else { record.state.restarts.min(10) };
    again.then(|| Duration::from_millis((100u64 << doublings).min(60_000)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::State;

    fn delay(policy: &str, max: u32, change: impl FnOnce(&mut State)) -> Option<u128> {
        let mut record = crate::record::tests::ended();
        record.spec.restart_policy = Some(policy.to_owned());
        record.spec.restart_max = max;
        change(&mut record.state);
        restart_delay(&record).map(|d| d.as_millis())
    }

    #[test]
    fn the_wait_doubles_up_to_a_minute_and_a_good_run_ends_that() {
        assert_eq!(delay("always", 0, |_| ()), Some(100));
        assert_eq!(delay("always", 0, |s| s.restarts = 3), Some(800));
        assert_eq!(delay("always", 0, |s| s.restarts = 40), Some(60_000));
        let long = |s: &mut State| {
            s.restarts = 40;
            s.finished = s.started.and_then(|t| t.checked_add(GOOD_RUN).ok());
        };
        assert_eq!(delay("unless-stopped", 0, long), Some(100));
    }

    #[test]
    fn a_policy_says_whether_it_is_started_again() {
        assert_eq!(delay("no", 0, |_| ()), None);
        assert_eq!(delay("always", 0, |s| s.stopped_by_hand = true), None);
        assert_eq!(delay("on-failure", 0, |_| ()), None, "it ended well");
        assert!(delay("on-failure", 2, |s| (s.exit_code, s.restarts) = (1, 1)).is_some());
        assert_eq!(delay("on-failure", 2, |s| (s.exit_code, s.restarts) = (1, 2)), None, "two tries are over");
    }
}
