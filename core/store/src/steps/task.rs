//! A plan on its way: reserved and journalled, applied, extended, and at last committed together with the record that
//! makes its work exist; or undone.

use super::{StepId, apply, check::simulate, trash_prefix, undo};
use crate::{
    area::Area,
    db::{Durability, end_in, insert_in, state::commit_in, update_in},
    error::{Result, StoreError},
    store::Store,
};
use davit_model::{
    journal::{Entry, EntryId},
    plan::Plan,
    state::StateWrites,
    storage::{Place, StorageStep},
};
use davit_sys::fault::point;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicBool},
};

/// A journal entry's body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Body {
    /// Whose area.
    pub(crate) driver: String,
    /// Who will own the places: `layer:<chain id>` or `root:<container>`.
    pub(crate) owner: String,
    /// All steps, in order.
    pub(crate) steps: Vec<StorageStep>,
    /// How many may have been begun.
    pub(crate) started: usize,
    /// Whether steps share places: undoing then goes strictly step by step.
    pub(crate) overlapping: bool,
}

/// The journal's kind of these entries.
pub(crate) const KIND: &str = "store.steps";

/// A plan whose steps are applied. Not dropped without [`Task::commit`] or [`Task::undo`]; where the process dies, the
/// next start undoes it from the journal.
#[derive(Debug)]
pub(crate) struct Task {
    store: Store,
    area: Area,
    entry: EntryId,
    body: Body,
    cancel: Arc<AtomicBool>,
}

fn json(body: &Body) -> Result<serde_json::Value> {
    serde_json::to_value(body).map_err(|e| StoreError::Record { object: body.owner.clone(), why: e.to_string() })
}

/// The places that an owner has.
pub(crate) fn owned(c: &Connection, driver: &str, owner: &str) -> Result<BTreeSet<Place>> {
    let mut rows = c.prepare_cached("SELECT name FROM place WHERE driver = ?1 AND owner = ?2")?;
    let names = rows.query_map([driver, owner], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let parse = |n: String| n.parse().map_err(|e| StoreError::Record { object: owner.into(), why: format!("{e}") });
    names.into_iter().map(parse).collect()
}

/// Reserves the places that a plan makes: whoever has one already, keeps it.
fn reserve(c: &Connection, driver: &str, owner: &str, made: &BTreeSet<Place>) -> Result<()> {
    let mut insert = c.prepare_cached("INSERT OR IGNORE INTO place VALUES (?1, ?2, ?3)")?;
    let mut check = c.prepare_cached("SELECT owner FROM place WHERE driver = ?1 AND name = ?2")?;
    for place in made {
        insert.execute(params![driver, place.as_str(), owner])?;
        let holder: String = check.query_row([driver, place.as_str()], |r| r.get(0))?;
        if holder != owner {
            return Err(StoreError::Plan { driver: driver.into(), why: format!("{place} belongs to {holder}") });
        }
    }
    Ok(())
}

impl Task {
    /// Checks, reserves, journals and applies `steps` for `owner`. What was made is undone where a step fails. `state` is
    /// what the plugin that planned them wants to keep.
    pub(crate) async fn begin(
        store: &Store,
        area: &Area,
        owner: String,
        steps: Vec<StorageStep>,
        state: StateWrites,
    ) -> Result<Self> {
        let body = Body { driver: area.driver().to_owned(), owner, steps: Vec::new(), started: 0, overlapping: false };
        let entry = Entry { kind: KIND.into(), object: body.owner.clone(), body: json(&body)? };
        let entry = store.0.db.write(Durability::Normal, move |c| insert_in(c, &entry)).await?;
        let (store, area) = (store.clone(), area.clone());
        let mut task = Self { store, area, entry, body, cancel: Arc::default() };
        match task.extend(steps, state).await {
            Ok(()) => Ok(task),
            Err(e) => Err(task.undo(e).await),
        }
    }

    /// Steps from now on stop where `cancel` is set, if they take long.
    pub(crate) fn cancelled_by(&mut self, cancel: Arc<AtomicBool>) {
        self.cancel = cancel;
    }

    /// Checks, reserves, journals and applies more steps. The caller undoes the whole where it fails.
    pub(crate) async fn extend(&mut self, steps: Vec<StorageStep>, state: StateWrites) -> Result<()> {
        let refused = |why| StoreError::Plan { driver: self.body.driver.clone(), why };
        let area = self.area.clone();
        let before = self.body.steps.len();
        let (driver, owner) = (self.body.driver.clone(), self.body.owner.clone());
        let own = self.store.0.db.read(move |c| owned(c, &driver, &owner)).await?;
        let exists = |p: &Place| area.exists(p).map_err(|e| e.to_string());
        let mut effect = None;
        let checked = Plan::proposed(steps).check(|steps| {
            effect = Some(simulate(steps, &own, exists)?);
            Ok(())
        });
        let checked = checked.map_err(refused)?;
        let effect = effect.unwrap_or_default();
        let mut body = self.body.clone();
        body.steps.extend(checked.body().iter().cloned());
        body.started = if effect.overlapping { before } else { body.steps.len() };
        body.overlapping |= effect.overlapping;
        let (value, entry, made) = (json(&body)?, self.entry, effect.made.clone());
        let (driver, owner) = (body.driver.clone(), body.owner.clone());
        let write = move |c: &Connection| {
            reserve(c, &driver, &owner, &made)?;
            commit_in(c, &state)?;
            Ok(update_in(c, entry, &value)?)
        };
        let written: Result<()> = self.store.0.db.write(Durability::Normal, write).await;
        let journalled = checked.journal(|_| written)?;
        self.body = body;
        self.body = self.apply_on_thread(journalled, before, effect.overlapping).await?;
        Ok(())
    }

    async fn apply_on_thread(
        &mut self,
        plan: Plan<Vec<StorageStep>, davit_model::plan::Journalled>,
        before: usize,
        overlapping: bool,
    ) -> Result<Body> {
        let (area, db, entry) = (self.area.clone(), self.store.0.db.clone(), self.entry);
        let (mut body, cancel) = (self.body.clone(), self.cancel.clone());
        let run = move || {
            let done = plan.apply(|steps| {
                for index in before..before + steps.len() {
                    if overlapping {
                        body.started = index + 1;
                        let value = json(&body)?;
                        db.write_blocking::<_, StoreError>(Durability::Normal, move |c| {
                            Ok(update_in(c, entry, &value)?)
                        })?;
                    }
                    point("store.step");
                    apply(&area, StepId { entry: entry.0, index }, &body.steps, &cancel)?;
                }
                point("store.applied");
                Ok(())
            });
            (done.map(|_: Plan<_, davit_model::plan::Applied>| ()), body)
        };
        let (done, body) = tokio::task::spawn_blocking(run).await.map_err(StoreError::join)?;
        self.body.started = body.started;
        done.map(|()| body)
    }

    /// The places that the plan's owner has now.
    pub(crate) async fn places(&self) -> Result<BTreeSet<Place>> {
        let (driver, owner) = (self.body.driver.clone(), self.body.owner.clone());
        self.store.0.db.read(move |c| owned(c, &driver, &owner)).await
    }

    /// Makes the work exist: `record` is written in the transaction that ends the journal's entry and gives the
    /// places that are left to their owner. Then the trash goes. Undone where the transaction fails.
    pub(crate) async fn commit(
        self,
        durability: Durability,
        record: impl FnOnce(&Connection) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let (area, entry, body) = (self.area.clone(), self.entry, self.body.clone());
        let seen = area.clone();
        let write = move |c: &Connection| {
            record(c)?;
            // What is no longer there is no longer owned; whatever step made it go.
            for place in owned(c, &body.driver, &body.owner)? {
                if !seen.exists(&place)? {
                    c.execute("DELETE FROM place WHERE driver = ?1 AND name = ?2", [&body.driver, place.as_str()])?;
                }
            }
            Ok(end_in(c, entry)?)
        };
        if let Err(e) = self.store.0.db.write::<_, StoreError>(durability, write).await {
            return Err(self.undo(e).await);
        }
        let empty = move || area.empty_trash(&trash_prefix(entry.0));
        if let Err(e) = tokio::task::spawn_blocking(empty).await.map_err(StoreError::join)? {
            // Done is done; the next start empties it.
            tracing::warn!("trash stays: {e}");
        }
        Ok(())
    }

    /// Undoes everything because of `why`; answers `why`, with what could not be undone.
    pub(crate) async fn undo(self, why: StoreError) -> StoreError {
        let undo = undo_entry(&self.store, &self.area, self.entry, self.body).await;
        if undo.is_empty() { why } else { StoreError::Undo { source: Box::new(why), undo } }
    }
}

fn body_steps(body: &Body) -> Vec<StorageStep> {
    body.steps.iter().take(body.started).cloned().collect()
}

/// Undoes a plan in reverse, from the journal's words alone. Every error is collected; where there is one, the entry
/// and the reservations stay for the next start.
pub(crate) async fn undo_entry(store: &Store, area: &Area, entry: EntryId, body: Body) -> Vec<String> {
    let (on, db, mut left) = (area.clone(), store.0.db.clone(), body.clone());
    let reverse = move || {
        let mut errors = Vec::new();
        for (index, step) in body_steps(&left).into_iter().enumerate().rev() {
            if let Err(e) = undo(&on, StepId { entry: entry.0, index }, &step) {
                errors.push(e.to_string());
            }
            point("store.undone");
            if errors.is_empty() {
                // Repeated from the top after a kill, an undo could hit what an earlier one has restored.
                left.started = index;
                let write = json(&left).and_then(|value| {
                    db.write_blocking::<_, StoreError>(Durability::Normal, move |c| Ok(update_in(c, entry, &value)?))
                });
                errors.extend(write.err().map(|e| e.to_string()));
            } else if left.overlapping {
                break;
            }
        }
        errors
    };
    let errors = match tokio::task::spawn_blocking(reverse).await {
        Ok(errors) => errors,
        Err(e) => vec![e.to_string()],
    };
    if !errors.is_empty() {
        return errors;
    }
    let seen = area.clone();
    let end = move |c: &Connection| {
        for place in owned(c, &body.driver, &body.owner)? {
            if !seen.exists(&place)? {
                c.execute("DELETE FROM place WHERE driver = ?1 AND name = ?2", [&body.driver, place.as_str()])?;
            }
        }
        Ok(end_in(c, entry)?)
    };
    match store.0.db.write::<_, StoreError>(Durability::Normal, end).await {
        Ok(()) => Vec::new(),
        Err(e) => vec![e.to_string()],
    }
}
