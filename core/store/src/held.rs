//! Blobs that others than images need: their owner says which, in the transaction that writes its own record, and
//! collection leaves them alone. Knows nothing of the owners.

use crate::db::DbError;
use davit_model::digest::Digest;
use rusqlite::{Connection, params};

/// From now on `owner` holds these blobs, and no others: none lets all go. Within a transaction of the caller's.
pub fn hold_in(c: &Connection, owner: &str, blobs: &[Digest]) -> Result<(), DbError> {
    c.execute("DELETE FROM held WHERE owner = ?1", [owner])?;
    for blob in blobs {
        c.execute("INSERT OR IGNORE INTO held (owner, blob) VALUES (?1, ?2)", params![owner, blob.to_string()])?;
    }
    Ok(())
}

/// All that is held by anybody.
pub(crate) fn held_in(c: &Connection) -> Result<Vec<Digest>, DbError> {
    let mut rows = c.prepare("SELECT DISTINCT blob FROM held")?;
    let blobs = rows.query_map([], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(blobs.iter().filter_map(|blob| blob.parse().ok()).collect())
}
