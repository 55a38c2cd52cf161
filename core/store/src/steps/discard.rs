//! A place goes: into the trash first, for good once the plan is final.

use super::StepId;
use crate::{
    area::Area,
    error::{IoContext, Result, StoreError},
};
use davit_model::storage::Place;
use rustix::{fs::RenameFlags, io::Errno};

pub(super) fn apply(area: &Area, id: StepId, at: &Place) -> Result<()> {
    match rustix::fs::renameat_with(area.fd(), at.as_str(), area.trash(), id.trash(), RenameFlags::NOREPLACE) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(StoreError::io("discard", area.shown(at), e)),
    }
}

pub(super) fn undo(area: &Area, id: StepId, at: &Place) -> Result<()> {
    match rustix::fs::renameat_with(area.trash(), id.trash(), area.fd(), at.as_str(), RenameFlags::NOREPLACE) {
        Err(Errno::NOENT) => Ok(()),
        done => done.doing("take back", area.shown(at)),
    }
}
