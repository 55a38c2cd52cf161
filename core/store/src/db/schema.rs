//! Schemas by component: each brings numbered steps, and the file remembers how far each has come.

use super::DbError;
use rusqlite::{Connection, OptionalExtension};

/// The tables of one part of Davit.
#[derive(Clone, Copy, Debug)]
pub struct Component {
    /// Its name; never changed.
    pub name: &'static str,
    /// Batches of SQL, applied in order, each once. Only ever appended to.
    pub migrations: &'static [&'static str],
}

pub(super) fn migrate(conn: &mut Connection, component: &Component) -> Result<(), DbError> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    migrate_in(&tx, component)?;
    Ok(tx.commit()?)
}

/// Within a transaction of the caller's.
pub(super) fn migrate_in(conn: &Connection, component: &Component) -> Result<(), DbError> {
    conn.execute_batch("CREATE TABLE IF NOT EXISTS schema (component TEXT PRIMARY KEY, version INTEGER NOT NULL)")?;
    let found: Option<i64> =
        conn.query_row("SELECT version FROM schema WHERE component = ?1", [component.name], |r| r.get(0)).optional()?;
    let found = found.unwrap_or(0);
    let known = i64::try_from(component.migrations.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(DbError::Newer { component: component.name.into(), found, known });
    }
    if found == known {
        // Nothing is written: a full disk does not keep anybody from starting.
        return Ok(());
    }
    for batch in component.migrations.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        conn.execute_batch(batch)?;
    }
    conn.execute(
        "INSERT INTO schema VALUES (?1, ?2) ON CONFLICT (component) DO UPDATE SET version = excluded.version",
        rusqlite::params![component.name, known],
    )?;
    Ok(())
}
