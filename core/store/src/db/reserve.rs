//! Room on the disk that the database takes before others fill it: a full disk keeps nobody from undoing a plan, or from
//! recording that something is gone, which is how room is made again.
//!
//! It lies beyond the ends of the files (fallocate(2), FALLOC_FL_KEEP_SIZE), so SQLite writes into it without knowing.
//! Where a file system never writes in place (btrfs), it holds for what is written there the first time.

use super::DbError;
use rusqlite::{Connection, config::DbConfig};
use rustix::fs::{FallocateFlags, fallocate};
use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io,
    path::Path,
};

/// Of the write-ahead log. It begins anew after each checkpoint, and there is one every 1000 pages of 4 KiB.
const LOG: u64 = 5 << 20;
/// Of the database itself, beyond its end. Where it is used up, a checkpoint fails and the log goes on.
const FILE: u64 = 1 << 20;

fn take(file: &File, from: u64, bytes: u64) -> io::Result<()> {
    Ok(fallocate(file, FallocateFlags::KEEP_SIZE, from, bytes)?)
}

/// An engine without it works, until the disk is full.
fn warned(path: &Path, done: io::Result<()>) {
    if let Err(e) = done {
        tracing::warn!("no room could be reserved for {}: {e}", path.display());
    }
}

/// Before the database is opened: who closes a descriptor of it later takes SQLite's locks with it (fcntl(2)).
pub(super) fn file(path: &Path) {
    let take = || {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        take(&file, file.metadata()?.len(), FILE)
    };
    warned(path, take());
}

/// Nobody locks the log, and there is one once something was written.
pub(super) fn log(conn: &Connection, path: &Path) -> Result<(), DbError> {
    keep_log(conn)?;
    let mut name = OsString::from(path);
    name.push("-wal");
    let log = Path::new(&name);
    let take = || take(&OpenOptions::new().create(true).truncate(false).write(true).open(log)?, 0, LOG);
    warned(log, take());
    Ok(())
}

/// The last to close the database leaves the log, with its room, to the next who opens it.
pub(super) fn keep_log(conn: &Connection) -> Result<(), DbError> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Component, Db, DbError, Durability};
    use crate::testing::SmallDisk;

    const NOTES: Component = Component { name: "notes", migrations: &["CREATE TABLE note (text TEXT NOT NULL)"] };

    fn written(db: &Db, times: i64) -> Result<(), DbError> {
        for i in 0..times {
            db.write_blocking::<_, DbError>(Durability::Normal, move |c| {
                c.execute("INSERT INTO note VALUES (?1)", [i])?;
                Ok(c.execute("DELETE FROM note WHERE text % 2 = 0", []).map(drop)?)
            })?;
        }
        Ok(())
    }

    #[test]
    fn a_full_disk_takes_thousands_of_small_writes_over_reopenings_and_in_the_end_says_that_it_is_full() {
        let disk = SmallDisk::new();
        let path = disk.path().join("d.db");
        drop(Db::open(&path, &[NOTES]).unwrap());
        disk.fill();
        for _ in 0..3 {
            written(&Db::open(&path, &[NOTES]).unwrap(), 1000).unwrap();
        }
        let db = Db::open(&path, &[NOTES]).unwrap();
        let large = || {
            let text = "x".repeat(1 << 20);
            db.write_blocking::<_, DbError>(Durability::Normal, move |c| {
                Ok(c.execute("INSERT INTO note VALUES (?1)", [text]).map(drop)?)
            })
        };
        let full = (0..20).find_map(|_| large().err()).expect("the reserve has an end");
        assert!(matches!(full, DbError::Full), "{full}");
    }
}
