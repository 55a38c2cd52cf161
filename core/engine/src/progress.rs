//! Progress of long work: a board that the work writes and any number of clients read, each at its own pace. A slow
//! client skips what has been overtaken; nobody holds anybody up, and nothing piles up.

use crate::EngineError;
use std::{collections::VecDeque, future::Future, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// One line of progress, in Docker's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The layer's short id, or the tag; empty for lines about the whole.
    pub id: String,
    /// `Pulling fs layer`, `Downloading`, `Extracting`, `Pull complete`, ….
    pub status: String,
    /// Bytes done and in all, where they are known.
    pub bytes: Option<(u64, u64)>,
}

/// Bars that move faster than this tell nobody more.
const PACE: Duration = Duration::from_millis(40);

#[derive(Debug, Default)]
struct Lines {
    /// In order of appearance; those with an id change in place.
    lines: Vec<Progress>,
    outcome: Option<Result<(), EngineError>>,
}

/// What the work writes on; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Board(Arc<watch::Sender<Lines>>);

/// Keeps the work going; when the last one is dropped, the work is cancelled.
#[derive(Debug)]
pub(crate) struct Interest(CancellationToken);

impl Drop for Interest {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Board {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Lines::default())))
    }

    /// A line that stands once, before what follows.
    pub(crate) fn head(&self, id: &str, status: String) {
        self.0.send_modify(|b| b.lines.push(Progress { id: id.to_owned(), status, bytes: None }));
    }

    /// A line that stands once, at the end.
    pub(crate) fn foot(&self, status: String) {
        self.head("", status);
    }

    /// The line of `id`, new or changed.
    pub(crate) fn line(&self, id: &str, status: &str, bytes: Option<(u64, u64)>) {
        self.0.send_modify(|b| {
            let new = || Progress { id: id.to_owned(), status: status.to_owned(), bytes };
            match b.lines.iter_mut().find(|l| l.id == id && !id.is_empty()) {
                Some(line) => *line = new(),
                None => b.lines.push(new()),
            }
        });
    }

    /// Runs `work` as a task of the engine until it ends or nobody is interested any more.
    pub(crate) fn start(
        &self,
        tasks: &TaskTracker,
        work: impl Future<Output = Result<(), EngineError>> + Send + 'static,
    ) -> Arc<Interest> {
        let token = CancellationToken::new();
        let (cancelled, board) = (token.clone(), self.clone());
        tasks.spawn(async move {
            let outcome = tokio::select! {
                outcome = work => outcome,
                () = cancelled.cancelled() => Err(EngineError::new(crate::Kind::Canceled, "nobody waits for it any more")),
            };
            board.0.send_modify(|b| b.outcome = Some(outcome));
        });
        Arc::new(Interest(token))
    }

    /// As [`Board::start`], for work with one client.
    pub(crate) fn run(
        &self,
        tasks: &TaskTracker,
        work: impl Future<Output = Result<(), EngineError>> + Send + 'static,
    ) -> ProgressStream {
        let interest = self.start(tasks, work);
        self.watch(interest)
    }

    /// A client's view from the beginning.
    pub(crate) fn watch(&self, interest: Arc<Interest>) -> ProgressStream {
        ProgressStream {
            board: self.0.subscribe(),
            shown: Vec::new(),
            pending: VecDeque::new(),
            ended: false,
            _interest: interest,
        }
    }
}

/// Progress as one client sees it. Dropping the last stream of a piece of work cancels it.
#[derive(Debug)]
pub struct ProgressStream {
    board: watch::Receiver<Lines>,
    shown: Vec<Progress>,
    pending: VecDeque<Result<Progress, EngineError>>,
    ended: bool,
    _interest: Arc<Interest>,
}

impl ProgressStream {
    /// The next line; an error is the last.
    pub async fn next(&mut self) -> Option<Result<Progress, EngineError>> {
        loop {
            if let Some(line) = self.pending.pop_front() {
                return Some(line);
            }
            if self.ended {
                return None;
            }
            self.take();
            if self.pending.is_empty() && !self.ended {
                if self.board.changed().await.is_err() {
                    return None;
                }
                tokio::time::sleep(PACE).await;
            }
        }
    }

    /// What differs from what was shown.
    fn take(&mut self) {
        let board = self.board.borrow_and_update();
        for (place, line) in board.lines.iter().enumerate() {
            match self.shown.get_mut(place) {
                Some(shown) if shown == line => {}
                Some(shown) => {
                    *shown = line.clone();
                    self.pending.push_back(Ok(line.clone()));
                }
                None => {
                    self.shown.push(line.clone());
                    self.pending.push_back(Ok(line.clone()));
                }
            }
        }
        if let Some(outcome) = &board.outcome {
            self.ended = true;
            if let Err(e) = outcome {
                self.pending.push_back(Err(e.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_late_client_sees_where_the_work_is_and_how_it_ends() {
        let board = Board::new();
        let tasks = TaskTracker::new();
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let interest = board.start(&tasks, async move {
            let _ = wait.await;
            Err(EngineError::invalid("on purpose"))
        });
        board.head("tag", "Pulling from x".into());
        board.line("l1", "Downloading", Some((1, 2)));
        board.line("l1", "Downloading", Some((2, 2)));
        let mut client = board.watch(interest);
        assert_eq!(client.next().await.unwrap().unwrap().status, "Pulling from x");
        assert_eq!(client.next().await.unwrap().unwrap().bytes, Some((2, 2)));
        go.send(()).unwrap();
        assert_eq!(client.next().await.unwrap().unwrap_err().message(), "on purpose");
        assert!(client.next().await.is_none());
    }

    #[tokio::test]
    async fn work_is_cancelled_when_its_last_client_leaves() {
        let (board, tasks) = (Board::new(), TaskTracker::new());
        let interest = board.start(&tasks, std::future::pending());
        let (one, two) = (board.watch(interest.clone()), board.watch(interest));
        drop(one);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(tasks.len(), 1, "one client is left");
        drop(two);
        tasks.close();
        tokio::time::timeout(Duration::from_secs(5), tasks.wait()).await.unwrap();
    }
}
