//! The first thing of a new daemon: plans that its predecessor left half done are undone, and what no record names
//! leaves the areas. Blobs in flight and leases stay: the next pull goes on with them.

use crate::{
    db::Durability,
    dirs,
    error::{Result, StoreError},
    layer::forget_undurable,
    lease::{now, shown},
    steps::{Body, KIND, undo_entry},
    store::Store,
};
use davit_model::journal::Journal;
use std::collections::BTreeSet;

/// What was found and settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Objects whose plans were undone: `layer:…`, `root:…`.
    pub undone: Vec<String>,
    /// Places that no record named: `driver/name`.
    pub garbage: Vec<String>,
    /// What could not be undone or removed; it stays for the next start.
    pub errors: Vec<String>,
}

impl Store {
    /// Settles what a killed daemon left. Entries of other kinds in the journal are their owners' to settle.
    pub async fn recover(&self) -> Result<Recovered> {
        let mut found = Recovered::default();
        let mut open: Vec<_> = self.journal().open().await?;
        open.retain(|(_, entry)| entry.kind == KIND);
        // The latest first: a later plan may stand on what an earlier one made.
        for (id, entry) in open.into_iter().rev() {
            let body: Body = serde_json::from_value(entry.body)
                .map_err(|e| StoreError::Record { object: entry.object.clone(), why: e.to_string() })?;
            let area = self.area_of(&body.driver)?;
            let errors = undo_entry(self, &area, id, body).await;
            if errors.is_empty() {
                found.undone.push(entry.object);
            } else {
                found.errors.extend(errors);
            }
        }
        for container in self.unfinished_roots().await? {
            self.remove_root(&container).await?;
            found.undone.push(format!("root:{container}"));
        }
        let (expired, held) = (now(), shown(&self.0.leases));
        let end = move |c: &rusqlite::Connection| {
            // Blobs are worth keeping for the next try; layers alone belonged to work that nobody resumes.
            c.execute(
                "DELETE FROM lease WHERE expires <= ?1 OR (id NOT IN (SELECT value FROM json_each(?2)) AND NOT EXISTS
                 (SELECT 1 FROM leased WHERE leased.lease = lease.id AND object LIKE 'blob:%'))",
                rusqlite::params![expired, held],
            )?;
            // A layer's record goes before its places do.
            c.execute(
                "DELETE FROM place WHERE owner LIKE 'layer:%' AND NOT EXISTS (SELECT 1 FROM layer WHERE
                 layer.driver = place.driver AND layer.chain_id = 'sha256:' || substr(place.owner, 7))",
                [],
            )?;
            forget_undurable(c)
        };
        found.undone.extend(self.0.db.write(Durability::Full, end).await?);
        if found.errors.is_empty() {
            let store = self.clone();
            let sweep = move || store.sweep_areas();
            let (garbage, errors) = tokio::task::spawn_blocking(sweep).await.map_err(StoreError::join)??;
            found.garbage = garbage;
            found.errors = errors;
        }
        Ok(found)
    }

    /// Removes what no record names, from every area, and empties the trash.
    fn sweep_areas(&self) -> Result<(Vec<String>, Vec<String>)> {
        let known: BTreeSet<(String, String)> = self.0.db.read_blocking(|c| {
            let mut rows = c.prepare("SELECT driver, name FROM place")?;
            let rows = rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?;
            Ok::<_, StoreError>(rows.collect::<Result<_, _>>()?)
        })?;
        let (mut garbage, mut errors) = (Vec::new(), Vec::new());
        let areas = dirs::make(&self.0.root, "areas")?;
        for driver in dirs::names(&areas)? {
            let Ok(driver) = driver.into_string() else { continue };
            let Ok(area) = self.area_of(&driver) else { continue };
            errors.extend(area.empty_trash("").err().map(|e| e.to_string()));
            for name in area.names()? {
                let text = name.to_string_lossy().into_owned();
                if known.contains(&(driver.clone(), text.clone())) {
                    continue;
                }
                match area.remove(area.fd(), &name) {
                    Ok(()) => garbage.push(format!("{driver}/{text}")),
                    Err(e) => errors.push(e.to_string()),
                }
            }
        }
        Ok((garbage, errors))
    }
}

#[cfg(test)]
mod tests;
