//! `attach`: a client at standard streams. A container's output is its log file being followed, so a slow client never
//! holds a container up; an exec session's output comes through pipes. Input goes to a FIFO, a pipe or a terminal.

pub use crate::logs::Output;
use crate::{Engine, EngineError, container::Container, exec::Exec, logs::Follower};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What is attached.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttachOptions {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// Output is streamed until the end; otherwise only what `logs` gives.
    pub stream: bool,
    /// What was written before comes first.
    pub logs: bool,
}

/// An attached client's two directions.
#[derive(Debug)]
pub struct Attached {
    /// There is a terminal: bytes go unframed.
    pub tty: bool,
    /// Where input goes; none where it is not attached or not open.
    pub stdin: Option<StdinSink>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Log { follower: Follower, options: AttachOptions, ends_before: u64 },
    Pipes(mpsc::Receiver<Output>),
}

impl Attached {
    pub(crate) fn of_exec(exec: &Arc<Exec>, output: mpsc::Receiver<Output>) -> Self {
        let stdin = exec.options.stdin.then(|| StdinSink(Sink::Exec(exec.clone())));
        Self { tty: exec.options.tty, stdin, source: Source::Pipes(output) }
    }

    /// The next output; none when the process has ended.
    pub async fn next(&mut self) -> Result<Option<Output>, EngineError> {
        let (follower, options, ends_before) = match &mut self.source {
            Source::Pipes(output) => return Ok(output.recv().await),
            Source::Log { follower, options, ends_before } => (follower, options, *ends_before),
        };
        loop {
            let next =
                if options.stream { follower.next_of_run(ends_before).await? } else { follower.next(false).await? };
            match next {
                Some(o) if (o.stream == 2 && !options.stderr) || (o.stream != 2 && !options.stdout) => {}
                other => return Ok(other),
            }
        }
    }
}

/// Where a client's input goes.
#[derive(Debug)]
pub struct StdinSink(Sink);

#[derive(Debug)]
enum Sink {
    Container { container: Arc<Container>, once: bool, ends_before: u64 },
    Exec(Arc<Exec>),
}

impl StdinSink {
    /// Writes all of `bytes`; waits for the process to start, and while it does not read. An error means that nobody
    /// will read any more.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        match &self.0 {
            Sink::Exec(exec) => exec.write_stdin(bytes).await,
            Sink::Container { container, ends_before, .. } => match running(container, *ends_before).await {
                Some(live) => live.write_stdin(bytes).await,
                None => Err(EngineError::conflict("the container has ended")),
            },
        }
    }

    /// The client's input is at its end: the process sees its end where it was opened for one client.
    pub async fn close(self) -> Result<(), EngineError> {
        match self.0 {
            Sink::Exec(exec) => exec.close_stdin().await,
            Sink::Container { once: false, .. } => Ok(()),
            Sink::Container { container, ends_before, .. } => match running(&container, ends_before).await {
                Some(live) => live.close_stdin().await,
                None => Ok(()),
            },
        }
    }
}

/// The container's run, once it has begun; none when it is over.
async fn running(container: &Arc<Container>, ends_before: u64) -> Option<Arc<crate::supervise::Live>> {
    let mut pulse = container.pulse();
    loop {
        let over = {
            let p = pulse.borrow_and_update();
            p.removed || p.ends > ends_before
        };
        if over {
            return None;
        }
        if let Some(live) = container.live() {
            return Some(live);
        }
        pulse.changed().await.ok()?;
    }
}

impl Engine {
    /// Attaches to a container, which may not have started yet: nothing of its coming run is missed.
    pub async fn attach(&self, name: &str, options: AttachOptions) -> Result<Attached, EngineError> {
        let container = self.inner.containers.find(name)?;
        let (tty, open, once, status) =
            container.read(|r| (r.spec.tty, r.spec.open_stdin, r.spec.stdin_once, r.state.status));
        if status == crate::record::Status::Paused {
            let why = format!("container {name} is paused, unpause the container before attach");
            return Err(EngineError::conflict(why));
        }
        let ends_before = container.pulse().borrow().ends;
        let stdin = (options.stdin && open)
            .then(|| StdinSink(Sink::Container { container: container.clone(), once, ends_before }));
        let follower = Follower::new(self, container, !options.logs)?;
        Ok(Attached { tty, stdin, source: Source::Log { follower, options, ends_before } })
    }
}
