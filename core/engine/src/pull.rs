//! `pull`: one task of the engine for all who ask for the same thing; it ends when its last watcher leaves.

use crate::EngineError;

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

/// Progress of a pull or push. Dropping the last stream of a pull cancels it.
#[derive(Debug)]
pub struct ProgressStream {
    lines: tokio::sync::mpsc::Receiver<Result<Progress, EngineError>>,
}

impl ProgressStream {
    /// The next line; an error is the last.
    pub async fn next(&mut self) -> Option<Result<Progress, EngineError>> {
        self.lines.recv().await
    }
}
