//! The writer thread: takes whatever waits, runs it in one transaction with a savepoint each, commits once, answers all.

use super::{DbError, Durability};
use davit_sys::fault::point;
use rusqlite::Connection;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::Receiver,
};
use tokio::sync::oneshot;

/// At most this many writes share a commit, so that the first does not wait for ever.
const GROUP: usize = 256;

/// Tells the waiting caller, once the commit went well or not.
type Answer = Box<dyn FnOnce(Result<(), DbError>) + Send>;
type Work = Box<dyn FnOnce(&Connection) -> (bool, Answer) + Send>;

/// A write that waits.
pub(super) struct Job {
    durability: Durability,
    work: Work,
}

pub(super) fn job<T, E>(
    durability: Durability,
    f: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
) -> (Job, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
{
    let (tell, answer) = oneshot::channel();
    let work: Work = Box::new(move |conn| {
        let result = catch_unwind(AssertUnwindSafe(|| f(conn)))
            .unwrap_or_else(|_| Err(DbError::Thread("a write panicked".into()).into()));
        let good = result.is_ok();
        let answer: Answer = Box::new(move |commit| {
            // A caller that went away no longer wants to know.
            let _ = tell.send(match commit {
                Ok(()) => result,
                Err(e) => Err(e.into()),
            });
        });
        (good, answer)
    });
    (Job { durability, work }, answer)
}

pub(super) fn run(conn: Connection, queue: &Receiver<Job>) {
    let mut current = Durability::Full;
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        group.extend(queue.try_iter().take(GROUP - 1));
        let wanted = group.iter().map(|j| j.durability).max().unwrap_or(Durability::Full);
        let mut answers = Vec::with_capacity(group.len());
        let done = transaction(&conn, &mut current, wanted, group, &mut answers);
        if done.is_err() && !conn.is_autocommit() {
            let _ = conn.execute_batch("ROLLBACK");
        }
        for answer in answers {
            answer(done.clone());
        }
    }
}

fn transaction(
    conn: &Connection,
    current: &mut Durability,
    wanted: Durability,
    group: Vec<Job>,
    answers: &mut Vec<Answer>,
) -> Result<(), DbError> {
    if *current != wanted {
        let level = if wanted == Durability::Full { "FULL" } else { "NORMAL" };
        conn.pragma_update(None, "synchronous", level)?;
        *current = wanted;
    }
    conn.execute_batch("BEGIN IMMEDIATE")?;
    for job in group {
        conn.execute_batch("SAVEPOINT job")?;
        let (good, answer) = (job.work)(conn);
        answers.push(answer);
        conn.execute_batch(if good { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" })?;
    }
    point("db.commit");
    conn.execute_batch("COMMIT")?;
    point("db.committed");
    Ok(())
}
