//! `kill`: a signal to a container's init.

use crate::{Engine, EngineError, container::Container, create::event_attributes};
use davit_model::id::Caller;
use nix::sys::signal::Signal;
use std::{sync::Arc, time::Duration};

/// How long a killed container may take to be gone. Uninterruptible sleep can outlast any patience.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

impl Engine {
    /// Sends `signal` (`KILL`, `SIGTERM`, `9`; empty: `KILL`).
    pub async fn kill(&self, caller: &Caller, name: &str, signal: &str) -> Result<(), EngineError> {
        let signal = parse_signal(if signal.is_empty() { "KILL" } else { signal })?;
        let container = self.inner.containers.find(name)?;
        self.admit(&crate::lifecycle::container_operation("container.kill", caller, &container.record())?).await?;
        let Some(live) = container.live() else {
            return Err(EngineError::conflict(format!(
                "cannot kill container: {name}: container {} is not running",
                container.id
            )));
        };
        // A signal that is meant to end it: no restart policy applies, and it must be able to take it.
        let ends = signal == Signal::SIGKILL as i32
            || container.read(|r| parse_signal(&r.process.stop_signal).is_ok_and(|own| own == signal));
        if ends {
            container.change(|r| r.state.stopped_by_hand = true);
        }
        live.signal(signal)?;
        if ends {
            self.thaw(&container).await?;
        }
        let mut attributes = event_attributes(&container.record());
        attributes.insert("signal".to_owned(), signal.to_string());
        self.publish("container.kill", container.id.as_str(), attributes);
        if signal == Signal::SIGKILL as i32 {
            wait_for_end(&container, KILL_DEADLINE).await;
        }
        Ok(())
    }

    /// SIGKILL, and wait until the end is on record.
    pub(crate) async fn kill_and_wait(&self, container: &Arc<Container>) -> Result<(), EngineError> {
        container.change(|r| r.state.stopped_by_hand = true);
        if let Some(live) = container.live() {
            live.signal(Signal::SIGKILL as i32)?;
            self.thaw(container).await?;
        }
        if wait_for_end(container, KILL_DEADLINE).await {
            return Ok(());
        }
        let shown = container.read(|r| r.name.clone());
        Err(EngineError::internal(
            &format!("killing container {shown}"),
            format!("it is still there after {} s", KILL_DEADLINE.as_secs()),
        ))
    }
}

/// Waits until the container does not run any more; says whether it came to that in time.
pub(crate) async fn wait_for_end(container: &Arc<Container>, deadline: Duration) -> bool {
    let mut pulse = container.pulse();
    let ended = pulse.wait_for(|p| p.removed || !p.status.has_process());
    tokio::time::timeout(deadline, ended).await.is_ok()
}

/// A signal's number, from its name with or without `SIG`, or from a number.
pub(crate) fn parse_signal(text: &str) -> Result<i32, EngineError> {
    let invalid = || EngineError::invalid(format!("invalid signal: {text}"));
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=64).contains(&number) { Ok(number) } else { Err(invalid()) };
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    if let Some(offset) = name.strip_prefix("RTMIN") {
        let offset: i32 = if offset.is_empty() { 0 } else { offset.parse().map_err(|_| invalid())? };
        return if (0..=30).contains(&offset) { Ok(34 + offset) } else { Err(invalid()) };
    }
    let signal: Signal = format!("SIG{name}").parse().map_err(|_| invalid())?;
    Ok(signal as i32)
}

#[cfg(test)]
mod tests {
    use super::parse_signal;

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, want) in [("KILL", 9), ("SIGTERM", 15), ("usr1", 10), ("9", 9), ("RTMIN+3", 37)] {
            assert_eq!(parse_signal(text).unwrap(), want);
        }
        for bad in ["", "0", "65", "NOSUCH", "-1", "RTMIN+99"] {
            assert!(parse_signal(bad).is_err(), "{bad}");
        }
    }
}
