//! A running container on this daemon's side: its monitor's reports until the end, its input, its terminal; and what
//! happens when it ends.

use crate::{
    Engine, EngineError,
    container::Container,
    create::event_attributes,
    launch::Started,
    polled::{Polled, readable},
    record::{ContainerRecord, Status},
    restart::restart_delay,
    streams::{Stdin, Terminal},
    wait::WaitResult,
};
use davit_runtime::{
    launcher::client::Control,
    record::ExitRecord,
    report::{Ask, Report, Reports},
};
use davit_sys::fault::point;
use std::{
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::net::unix::pipe;

/// A run that this daemon follows.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) init: OwnedFd,
    run_dir: PathBuf,
    stdin: tokio::sync::Mutex<Stdin>,
    terminal: Option<Arc<Terminal>>,
}

/// A monitor's report socket, for tokio.
#[derive(Debug)]
pub(crate) struct AsyncReports(Polled<Reports>);

impl AsyncReports {
    pub(crate) fn new(reports: Reports) -> Result<Self, EngineError> {
        readable(reports).map(Self).map_err(|e| EngineError::internal("following a monitor", e))
    }

    /// The next report with its descriptor; none: the monitor is gone.
    pub(crate) async fn next(&self) -> Result<Option<(Report, Option<OwnedFd>)>, EngineError> {
        loop {
            let ready = self.0.readable().await;
            let mut ready = ready.map_err(|e| EngineError::internal("following a monitor", e))?;
            match self.0.get_ref().get().next(Duration::ZERO) {
                Err(e) if e.kind() == std::io::ErrorKind::TimedOut => ready.clear_ready(),
                other => return other.map_err(|e| EngineError::internal("following a monitor", e)),
            }
        }
    }

    pub(crate) fn go(&self) -> Result<(), EngineError> {
        self.0.get_ref().get().go().map_err(|e| EngineError::internal("giving leave to start", e))
    }
}

/// How this daemon learns of a run's end.
#[derive(Debug)]
pub(crate) enum Following {
    /// The monitor tells.
    Reports(AsyncReports),
    /// The monitor was another daemon's; its control socket closes when it ends.
    Control(Polled<Control>),
}

impl Following {
    pub(crate) fn control(control: Control) -> Result<Self, EngineError> {
        readable(control).map(Self::Control).map_err(|e| EngineError::internal("following a monitor", e))
    }

    /// The exit record, or none where the monitor is gone without a word.
    async fn end(&self) -> Option<ExitRecord> {
        match self {
            Self::Reports(reports) => loop {
                match reports.next().await {
                    Ok(Some((Report::Exited(record), _))) => return Some(record),
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return None,
                }
            },
            Self::Control(control) => {
                // Nothing is asked here, so what is to be read is the end.
                let _ = control.readable().await;
                None
            }
        }
    }
}

impl Live {
    pub(crate) fn new(
        init: OwnedFd,
        run_dir: PathBuf,
        terminal: Option<Arc<Terminal>>,
        open_stdin: bool,
    ) -> Result<Self, EngineError> {
        let stdin = match (&terminal, open_stdin) {
            (Some(terminal), _) => Stdin::Terminal(terminal.clone()),
            (None, true) => {
                let fifo = run_dir.join("stdin");
                match pipe::OpenOptions::new().open_sender(&fifo) {
                    Ok(pipe) => Stdin::Pipe(pipe),
                    // The process has closed it already, or the run is over.
                    Err(_) => Stdin::Closed,
                }
            }
            (None, false) => Stdin::Closed,
        };
        Ok(Self { init, run_dir, stdin: tokio::sync::Mutex::new(stdin), terminal })
    }

    pub(crate) fn signal(&self, number: i32) -> Result<(), EngineError> {
        match davit_sys::pidfd::send_signal(self.init.as_fd(), number) {
            // It has just ended: whoever waits for that will see it.
            Err(e) if e.raw_os_error() == Some(nix::libc::ESRCH) => Ok(()),
            other => other.map_err(|e| EngineError::internal("sending a signal", e)),
        }
    }

    pub(crate) async fn write_stdin(&self, bytes: &[u8]) -> Result<(), EngineError> {
        self.stdin.lock().await.write(bytes).await
    }

    /// Closes this daemon's writing end and the monitor's: the process sees the end of its input.
    pub(crate) async fn close_stdin(&self) -> Result<(), EngineError> {
        self.stdin.lock().await.close();
        if self.terminal.is_some() {
            return Ok(());
        }
        self.ask(Ask::CloseStdin).await
    }

    pub(crate) async fn resize(&self, rows: u16, cols: u16) -> Result<(), EngineError> {
        match &self.terminal {
            Some(terminal) => {
                terminal.resize(rows, cols).map_err(|e| EngineError::internal("resizing the terminal", e))
            }
            None => Ok(()),
        }
    }

    /// Another descriptor of the terminal's master side, for a new monitor.
    pub(crate) fn terminal_copy(&self) -> Result<Option<OwnedFd>, EngineError> {
        let copy = self.terminal.as_ref().map(|t| t.copy()).transpose();
        copy.map_err(|e| EngineError::internal("copying a terminal's descriptor", e))
    }

    async fn ask(&self, ask: Ask) -> Result<(), EngineError> {
        let run_dir = self.run_dir.clone();
        let asked = tokio::task::spawn_blocking(move || crate::launch::ask(&run_dir, ask)).await;
        asked.map_err(|e| EngineError::internal("asking a monitor", e))?
    }
}

impl Engine {
    /// Follows a run to its end.
    pub(crate) fn supervise(&self, container: &Arc<Container>, started: Started) {
        let Started { live, following, .. } = started;
        let live = Arc::new(live);
        container.set_live(Some(live.clone()));
        let (engine, container) = (self.clone(), container.clone());
        self.inner.tasks.spawn(async move {
            let closing = engine.inner.closing.clone();
            let mut following = following;
            loop {
                let ended = tokio::select! {
                    () = closing.cancelled() => return,
                    ended = following.end() => ended,
                };
                match ended {
                    Some(record) => return engine.run_ended(&container, &record).await,
                    None => match engine.monitor_lost(&container, &live).await {
                        Some(next) => following = next,
                        None => return,
                    },
                }
            }
        });
    }

    /// The monitor is gone: it left a record, or the process runs on and gets another monitor. None: it is over.
    async fn monitor_lost(&self, container: &Arc<Container>, live: &Live) -> Option<Following> {
        if let Ok(Some(record)) = self.exit_record(container).await {
            self.run_ended(container, &record).await;
            return None;
        }
        tracing::warn!(container = %container.id, "its monitor was killed; starting another");
        match self.adopt(container, live).await {
            Ok(following) => Some(following),
            Err(e) => {
                tracing::warn!(container = %container.id, "no other monitor: {e}");
                self.run_ended_unseen(container).await;
                None
            }
        }
    }

    /// Nobody saw the end; what is known of it is in the exit record, if anything.
    pub(crate) async fn run_ended_unseen(&self, container: &Arc<Container>) {
        let record = match self.exit_record(container).await {
            Ok(Some(record)) => record,
            _ => ExitRecord { status: 255, signal: None, finished: crate::engine::now_ms() * 1_000_000, unknown: true },
        };
        self.run_ended(container, &record).await;
    }

    /// Records an end, and does what follows from it.
    pub(crate) async fn run_ended(&self, container: &Arc<Container>, exit: &ExitRecord) {
        point("end.seen");
        let oom = self.oom_killed(container);
        let before = container.record();
        // Ports are free before anybody hears of the end: who waits for it may want them.
        if let Some(endpoint) = &before.endpoint
            && let Err(e) = self.unpublish(&endpoint.id, &endpoint.plan).await
        {
            tracing::warn!(container = %container.id, "{e}");
        }
        container.set_live(None);
        // Before the state changes, so that the next run waits until this one's remains are cleared away.
        let cleaning = container.cleaning();
        let delay = restart_delay(&ContainerRecord { state: ended_state(&before, exit, oom), ..before.clone() });
        let saved = container.change(|r| {
            r.state = ended_state(r, exit, oom);
            if delay.is_some() {
                r.state.status = Status::Restarting;
            }
            r.endpoint = None;
        });
        if let Err(e) = self.inner.save(&saved).await {
            tracing::warn!(container = %container.id, "{e}");
        }
        self.reap(cleaning, before.endpoint.clone());
        let mut attributes = event_attributes(&saved);
        attributes.insert("exitCode".to_owned(), saved.state.exit_code.to_string());
        self.publish("container.die", container.id.as_str(), attributes);
        container.ended(WaitResult { code: saved.state.exit_code, error: None });
        self.after_exit(&saved).await;
        if let Some(endpoint) = &before.endpoint {
            self.inner.zones.stale(&endpoint.network);
        }
        if let Some(delay) = delay {
            self.restart_later(container, delay);
        } else if saved.spec.auto_remove {
            let _transition = container.begin().await;
            if container.read(|r| r.state.status == Status::Exited)
                && let Err(e) = self.remove_ended(container, true).await
            {
                tracing::warn!(container = %container.id, "removing it after its end: {e}");
            }
        }
    }

    fn oom_killed(&self, container: &Container) -> bool {
        let group = self.inner.cgroups.open(&self.inner.cgroup_path(&container.id));
        group.and_then(|g| g.oom_killed()).unwrap_or(false)
    }

    /// Starts a container again after a while, unless somebody stops or removes it first.
    pub(crate) fn restart_later(&self, container: &Arc<Container>, delay: Duration) {
        let (engine, container) = (self.clone(), container.clone());
        self.inner.tasks.spawn(async move {
            let closing = engine.inner.closing.clone();
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(delay) => {}
            }
            engine.inner.recovered.cancelled().await;
            if !container.read(|r| r.state.status == Status::Restarting) {
                return;
            }
            container.change(|r| r.state.restarts += 1);
            if let Err(e) = engine.start_container(&container).await {
                tracing::warn!(container = %container.id, "starting it again: {e}");
            }
        });
    }

    /// Nobody wants it started again.
    pub(crate) async fn cancel_restart(&self, container: &Arc<Container>) -> Result<(), EngineError> {
        let _transition = container.begin().await;
        if container.read(|r| r.state.status == Status::Restarting) {
            let saved = container.change(|r| r.state.status = Status::Exited);
            self.inner.save(&saved).await?;
        }
        Ok(())
    }
}

fn ended_state(record: &ContainerRecord, exit: &ExitRecord, oom: bool) -> crate::record::State {
    crate::record::State {
        status: Status::Exited,
        pid: 0,
        exit_code: i64::from(exit.status),
        error: if exit.unknown { "its end was seen by nobody".to_owned() } else { String::new() },
        oom_killed: oom,
        finished: Some(crate::engine::timestamp(exit.finished)),
        ..record.state.clone()
    }
}
