//! `logs`: what a container wrote, from its log file, and on as it grows.

use crate::{
    Engine, EngineError,
    container::{Container, Pulse},
    record::Status,
};
use bytes::Bytes;
use davit_runtime::log::{Reader, Stream};
use jiff::Timestamp;
use std::{collections::VecDeque, sync::Arc};

/// Which part of a log is wanted.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// Go on until the container ends.
    pub follow: bool,
    /// Only the last so many lines.
    pub tail: Option<usize>,
    /// Only what was written from then on.
    pub since: Option<Timestamp>,
    /// Only what was written before.
    pub until: Option<Timestamp>,
}

/// A piece of output: with [`Engine::logs`] at most one line, with its line end; with attach as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// When it was written.
    pub time: Timestamp,
    /// 1: standard output (or the terminal); 2: standard error.
    pub stream: u8,
    /// The bytes.
    pub bytes: Bytes,
}

/// A log being read.
#[derive(Debug)]
pub struct LogStream {
    /// The container writes to a terminal: no framing towards clients.
    pub tty: bool,
    options: LogOptions,
    follower: Follower,
    ready: VecDeque<Output>,
    lines: [Option<Output>; 2],
    done: bool,
}

impl LogStream {
    /// The next line; none at the end.
    pub async fn next(&mut self) -> Result<Option<Output>, EngineError> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                if self.options.until.is_some_and(|until| line.time >= until) {
                    return Ok(None);
                }
                return Ok(Some(line));
            }
            if self.done {
                return Ok(None);
            }
            match self.follower.next(self.options.follow).await? {
                Some(chunk) => self.split(&chunk),
                None => {
                    self.done = true;
                    let rest: Vec<Output> = self.lines.iter_mut().filter_map(Option::take).collect();
                    self.ready.extend(rest.into_iter().filter(|l| wanted(&self.options, l)));
                }
            }
        }
    }

    /// Cuts a chunk into lines. A line that is not at its end waits for more, so that its time stands once.
    fn split(&mut self, chunk: &Output) {
        for piece in chunk.bytes.split_inclusive(|b| *b == b'\n') {
            let slot = &mut self.lines[usize::from(chunk.stream == 2)];
            let line = slot.get_or_insert_with(|| Output { bytes: Bytes::new(), ..chunk.clone() });
            line.bytes = if line.bytes.is_empty() {
                chunk.bytes.slice_ref(piece)
            } else {
                [line.bytes.as_ref(), piece].concat().into()
            };
            // A line past 16 KiB is passed on in parts, as Docker does: nobody may make us hold it all.
            if (piece.ends_with(b"\n") || line.bytes.len() >= 16 * 1024)
                && let Some(line) = slot.take()
                && wanted(&self.options, &line)
            {
                self.ready.push_back(line);
            }
        }
    }
}

fn wanted(options: &LogOptions, line: &Output) -> bool {
    let stream = if line.stream == 2 { options.stderr } else { options.stdout };
    stream && options.since.is_none_or(|since| line.time >= since)
}

/// Reads records of a container's log, and waits for more while its container runs.
#[derive(Debug)]
pub(crate) struct Follower {
    container: Arc<Container>,
    reader: Reader,
    grown: crate::log_watch::Grown,
}

impl Follower {
    pub(crate) fn new(engine: &Engine, container: Arc<Container>, from_end: bool) -> Result<Self, EngineError> {
        let path = engine.inner.log_path(&container.id);
        let grown = engine.inner.log_watch.follow(&path)?;
        let failed = |e| EngineError::internal(&format!("opening the log {}", path.display()), e);
        let file = std::fs::File::open(&path).map_err(failed)?;
        let reader = if from_end { Reader::from_end(file).map_err(failed)? } else { Reader::new(file, 0) };
        Ok(Self { container, reader, grown })
    }

    fn read(&mut self) -> Result<Option<Output>, EngineError> {
        let record = self.reader.next_record().map_err(|e| EngineError::internal("reading the log", e))?;
        Ok(record.map(|r| Output {
            time: crate::engine::timestamp(r.time),
            stream: if r.stream == Stream::Stderr { 2 } else { 1 },
            bytes: r.payload.into(),
        }))
    }

    /// The next chunk. At the end: none, or with `follow` waits until the container has ended.
    pub(crate) async fn next(&mut self, follow: bool) -> Result<Option<Output>, EngineError> {
        let runs = |p: &Pulse| matches!(p.status, Status::Running | Status::Paused | Status::Restarting);
        self.next_until(|p| !follow || p.removed || !runs(p)).await
    }

    /// As [`Follower::next`], for a client that attached before the start: waits for a run to begin and to end.
    pub(crate) async fn next_of_run(&mut self, ends_before: u64) -> Result<Option<Output>, EngineError> {
        self.next_until(|p| p.removed || p.ends > ends_before).await
    }

    /// The next chunk; none where all is read and it is `over`.
    async fn next_until(&mut self, over: impl Fn(&Pulse) -> bool) -> Result<Option<Output>, EngineError> {
        let mut pulse = self.container.pulse();
        loop {
            // Looked at before reading: what was written by the end is then surely read.
            let over = over(&pulse.borrow_and_update());
            if let Some(output) = self.read()? {
                return Ok(Some(output));
            }
            if over {
                return Ok(None);
            }
            tokio::select! {
                () = self.grown.wait() => {}
                changed = pulse.changed() => if changed.is_err() { return Ok(None) },
            }
        }
    }
}

impl Engine {
    /// The log of a container.
    pub async fn logs(&self, name: &str, options: LogOptions) -> Result<LogStream, EngineError> {
        if !options.stdout && !options.stderr {
            return Err(EngineError::invalid("Bad parameters: you must choose at least one stream"));
        }
        let container = self.inner.containers.find(name)?;
        let tty = container.read(|r| r.spec.tty);
        let follow = options.follow;
        let tail = options.tail;
        let follower = Follower::new(self, container, false)?;
        let mut stream = LogStream { tty, options, follower, ready: VecDeque::new(), lines: [None, None], done: false };
        if let Some(tail) = tail {
            stream.options.follow = false;
            let mut last = VecDeque::new();
            while let Some(line) = stream.next().await? {
                last.push_back(line);
                if last.len() > tail {
                    last.pop_front();
                }
            }
            stream.ready = last;
            stream.options.follow = follow;
            stream.done = !follow;
        }
        Ok(stream)
    }
}
