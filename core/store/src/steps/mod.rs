//! Storage steps made real beneath a driver's area: one file a kernel object, each with its undo beside it.
//!
//! A plan is checked against what is there ([`check`]), its new places are reserved and it is journalled in one
//! transaction ([`task`]), and then applied step by step. Undoing goes in reverse, looks at what is there, and can be
//! repeated: a kill at any instant leaves nothing that the next start cannot undo. A discarded tree waits in the trash
//! until the plan is final, so that discarding can be undone, too.

mod check;
mod clone_tree;
mod discard;
mod make_dir;
mod make_image;
mod quota;
mod rename;
mod snapshot;
mod subvolume;
mod task;

pub(crate) use check::{Effect, simulate};
pub(crate) use quota::{forget, project_of};
pub(crate) use task::{Body, KIND, Task, owned, undo_entry};

use crate::{area::Area, error::Result};
use davit_model::storage::StorageStep;
use std::sync::atomic::AtomicBool;

/// Which step of which journal entry: names the trash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepId {
    pub(crate) entry: i64,
    pub(crate) index: usize,
}

impl StepId {
    fn trash(self) -> String {
        format!("{}{}", trash_prefix(self.entry), self.index)
    }
}

/// What the trash of an entry's steps begins with.
pub(crate) fn trash_prefix(entry: i64) -> String {
    format!("{entry}-")
}

/// Makes the step `id.index` of `steps` real. `cancel` is set by whoever no longer wants what takes long.
pub(crate) fn apply(area: &Area, id: StepId, steps: &[StorageStep], cancel: &AtomicBool) -> Result<()> {
    let (earlier, rest) = steps.split_at(id.index.min(steps.len()));
    let Some(step) = rest.first() else { return Ok(()) };
    match step {
        StorageStep::MakeDir { at } => make_dir::apply(area, at),
        StorageStep::CloneTree { src, dst } => clone_tree::apply(area, src, dst),
        StorageStep::Subvolume { at } => subvolume::apply(area, at),
        StorageStep::Snapshot { src, dst } => snapshot::apply(area, src, dst),
        StorageStep::MakeImage { src, dst, format } => make_image::apply(area, id, (src, dst), format, cancel),
        StorageStep::Rename { src, dst } => rename::apply(area, src, dst),
        StorageStep::Quota { at, bytes } => quota::apply(area, at, *bytes, earlier),
        StorageStep::Discard { at } => discard::apply(area, id, at),
    }
}

/// Undoes one step, done whole, in part or not at all.
pub(crate) fn undo(area: &Area, id: StepId, step: &StorageStep) -> Result<()> {
    match step {
        StorageStep::MakeDir { at } => make_dir::undo(area, at),
        StorageStep::CloneTree { dst, .. } => clone_tree::undo(area, dst),
        StorageStep::Rename { src, dst } => rename::undo(area, src, dst),
        StorageStep::Discard { at } => discard::undo(area, id, at),
        StorageStep::Subvolume { at } => subvolume::undo(area, at),
        StorageStep::Snapshot { dst, .. } => snapshot::undo(area, dst),
        StorageStep::MakeImage { dst, .. } => make_image::undo(area, id, dst),
        StorageStep::Quota { at, .. } => quota::undo(area, at),
    }
}

#[cfg(test)]
mod image_tests;
#[cfg(test)]
mod quota_tests;
#[cfg(test)]
mod subvolume_tests;
#[cfg(test)]
mod tests;
