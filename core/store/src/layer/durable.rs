//! When a layer's files are on the disk. A flush for each layer would cost more than unpacking it, so a pull flushes
//! once, at its end; until then the record says in which boot the files were written. A killed daemon loses nothing by
//! that (the page cache lives on), and after a power cut the next start forgets what was not flushed.

use crate::{
    area::Area,
    db::Durability,
    error::{Result, StoreError},
    store::Store,
};
use davit_model::digest::Digest;
use rusqlite::{Connection, params};
use std::sync::OnceLock;

/// This boot's id (kernel, Documentation/admin-guide/sysctl/kernel.rst, "random"); empty, hence durable, is never it.
pub(super) fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        if id.trim().is_empty() { "unknown".into() } else { id.trim().to_owned() }
    })
}

/// Forgets layers of an earlier boot that were never flushed, with all that stands on them; answers what they were.
/// Their places are garbage from then on.
pub(crate) fn forget_undurable(c: &Connection) -> Result<Vec<String>> {
    let mut gone = Vec::new();
    let mut doomed = c.prepare(
        "SELECT driver, chain_id FROM layer WHERE (boot <> '' AND boot <> ?1) OR (parent IS NOT NULL AND NOT EXISTS
         (SELECT 1 FROM layer AS below WHERE below.driver = layer.driver AND below.chain_id = layer.parent))",
    )?;
    loop {
        let rows = doomed.query_map([boot_id()], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        if rows.is_empty() {
            return Ok(gone);
        }
        for (driver, id) in rows {
            let owner = format!("layer:{}", id.strip_prefix("sha256:").unwrap_or(&id));
            c.execute("DELETE FROM layer WHERE driver = ?1 AND chain_id = ?2", [&driver, &id])?;
            c.execute("DELETE FROM place WHERE driver = ?1 AND owner = ?2", [&driver, &owner])?;
            gone.push(owner);
        }
    }
}

impl Store {
    /// Flushes the area where any layer of the chain needs it, and says so in the records.
    pub(super) async fn make_durable(&self, area: &Area, chain: &[Digest]) -> Result<()> {
        let (driver, chain) = (area.driver().to_owned(), chain.to_vec());
        let (on, ids) = (driver.clone(), chain.clone());
        let waiting = self.0.db.read(move |c| {
            let mut row =
                c.prepare_cached("SELECT count(*) FROM layer WHERE driver = ?1 AND chain_id = ?2 AND boot <> ''")?;
            let mut count = 0i64;
            for id in &ids {
                count += row.query_row([&on, &id.to_string()], |r| r.get::<_, i64>(0))?;
            }
            Ok::<_, StoreError>(count)
        });
        if waiting.await? == 0 {
            return Ok(());
        }
        let area = area.clone();
        tokio::task::spawn_blocking(move || area.sync()).await.map_err(StoreError::join)??;
        let done = move |c: &Connection| {
            let mut update = c.prepare_cached("UPDATE layer SET boot = '' WHERE driver = ?1 AND chain_id = ?2")?;
            for id in &chain {
                update.execute(params![driver, id.to_string()])?;
            }
            Ok(())
        };
        self.0.db.write(Durability::Full, done).await
    }
}
