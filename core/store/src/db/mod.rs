//! The database `davit.db`: one writer thread with group commit, reads beside it. Knows no table of anyone; components
//! bring their own schema as a [`Component`].
//!
//! Durability is chosen per write: `PRAGMA synchronous` is set on the one writer connection before each group's
//! transaction, FULL where any write of the group asks for it, NORMAL else (in WAL mode NORMAL survives a kill, not a
//! power cut). One connection with a changing pragma, not two: SQLite has one writer lock anyway, and one thread can
//! put writes of several tasks into one commit.

mod journal;
mod reserve;
mod schema;
pub mod state;
mod writer;

pub use journal::SqlJournal;
pub(crate) use journal::update_in;
pub use journal::{end_in, insert_in};
pub use schema::Component;

use rusqlite::{Connection, OpenFlags};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

/// Why the database did not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DbError {
    /// The disk is full.
    #[error("no space left on the file system of the database; free some space and try again")]
    Full,
    /// SQLite failed.
    #[error("database: {0}")]
    Sql(Arc<rusqlite::Error>),
    /// A schema of a newer Davit.
    #[error("database: component {component} has schema {found}, this version knows {known}")]
    Newer {
        /// Whose schema.
        component: String,
        /// In the file.
        found: i64,
        /// In this program.
        known: i64,
    },
    /// The writer thread is gone, or a thread could not be made.
    #[error("database: {0}")]
    Thread(String),
}

impl From<rusqlite::Error> for DbError {
    fn from(e: rusqlite::Error) -> Self {
        match e.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            _ => Self::Sql(Arc::new(e)),
        }
    }
}

/// What a write must survive once it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// A kill of the daemon: containers, journal.
    Normal,
    /// A power cut: images, references, volumes, grants.
    Full,
}

/// The database; cheap to clone. The last clone's drop ends the writer thread.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    path: PathBuf,
    jobs: Mutex<Option<mpsc::Sender<writer::Job>>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    readers: Mutex<Vec<Connection>>,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Db").field(&self.0.path).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl Db {
    /// Opens or makes the file and brings each component's schema up to date.
    pub fn open(path: &Path, components: &[Component]) -> Result<Self, DbError> {
        reserve::file(path);
        let mut conn = Connection::open(path)?;
        conn.busy_timeout(Duration::from_secs(10))?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "foreign_keys", true)?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        for component in [&journal::COMPONENT, &state::COMPONENT].into_iter().chain(components) {
            schema::migrate(&mut conn, component)?;
        }
        reserve::log(&conn, path)?;
        let (jobs, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("davit-db".into())
            .spawn(move || writer::run(conn, &queue))
            .map_err(|e: io::Error| DbError::Thread(e.to_string()))?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            jobs: Mutex::new(Some(jobs)),
            thread: Mutex::new(Some(thread)),
            readers: Mutex::new(Vec::new()),
        })))
    }

    /// Adds a component's tables after opening: what a crate above brings.
    pub async fn migrate(&self, component: Component) -> Result<(), DbError> {
        self.write(Durability::Full, move |c| schema::migrate_in(c, &component)).await
    }

    /// Runs `f` inside a transaction, in its own savepoint: an error undoes what `f` did and nothing else. Answered
    /// when the commit that holds it is as durable as asked.
    pub async fn write<T, E>(
        &self,
        durability: Durability,
        f: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let (job, answer) = writer::job(durability, f);
        self.submit(job)?;
        answer.await.unwrap_or_else(|_| Err(gone().into()))
    }

    /// As [`Db::write`], for threads that may block.
    pub fn write_blocking<T, E>(
        &self,
        durability: Durability,
        f: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let (job, answer) = writer::job(durability, f);
        self.submit(job)?;
        answer.blocking_recv().unwrap_or_else(|_| Err(gone().into()))
    }

    /// Runs `f` on a read-only connection, on a thread that may block. Sees everything that was answered before.
    pub async fn read<T, E>(&self, f: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let db = self.clone();
        let done = tokio::task::spawn_blocking(move || db.read_blocking(f)).await;
        done.unwrap_or_else(|e| Err(DbError::Thread(e.to_string()).into()))
    }

    /// As [`Db::read`], for threads that may block.
    pub fn read_blocking<T, E: From<DbError>>(&self, f: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let idle = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = match idle {
            Some(conn) => conn,
            None => self.reader()?,
        };
        let answer = f(&conn);
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        answer
    }

    fn reader(&self) -> Result<Connection, DbError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&self.0.path, flags)?;
        conn.busy_timeout(Duration::from_secs(10))?;
        reserve::keep_log(&conn)?;
        Ok(conn)
    }

    fn submit(&self, job: writer::Job) -> Result<(), DbError> {
        let jobs = self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())
    }
}

fn gone() -> DbError {
    DbError::Thread("the writer thread has ended".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTES: Component = Component { name: "notes", migrations: &["CREATE TABLE note (text TEXT NOT NULL)"] };

    fn count(db: &Db) -> i64 {
        db.read_blocking::<_, DbError>(|c| Ok(c.query_row("SELECT count(*) FROM note", [], |r| r.get(0))?)).unwrap()
    }

    #[tokio::test]
    async fn a_failed_write_undoes_itself_and_not_its_neighbours() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("d.db"), &[NOTES]).unwrap();
        let all = (0..40).map(|i| {
            db.write(Durability::Normal, move |c| {
                c.execute("INSERT INTO note VALUES (?1)", [i])?;
                if i % 2 == 0 { Err(DbError::Thread("on purpose".into())) } else { Ok(()) }
            })
        });
        let answers = futures_util::future::join_all(all).await;
        assert_eq!(answers.iter().filter(|a| a.is_ok()).count(), 20);
        assert_eq!(count(&db), 20);
    }

    #[tokio::test]
    async fn a_panic_in_a_write_is_an_error_and_the_writer_lives_on() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("d.db"), &[NOTES]).unwrap();
        let bad: Result<(), DbError> = db.write(Durability::Normal, |_| panic!("on purpose")).await;
        assert!(bad.is_err());
        db.write::<_, DbError>(Durability::Full, |c| Ok(c.execute("INSERT INTO note VALUES ('x')", [])?))
            .await
            .unwrap();
        assert_eq!(count(&db), 1);
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused_and_an_older_one_is_raised() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.db");
        drop(Db::open(&path, &[NOTES]).unwrap());
        const NEXT: Component = Component {
            name: "notes",
            migrations: &["CREATE TABLE note (text TEXT NOT NULL)", "ALTER TABLE note ADD COLUMN author TEXT"],
        };
        let db = Db::open(&path, &[]).unwrap();
        db.migrate(NEXT).await.unwrap();
        db.write::<_, DbError>(Durability::Full, |c| Ok(c.execute("INSERT INTO note VALUES ('x', 'y')", [])?))
            .await
            .unwrap();
        drop(db);
        let e = Db::open(&path, &[NOTES]).unwrap_err();
        assert!(e.to_string().contains("component notes has schema 2, this version knows 1"), "{e}");
    }
}
