//! What this crate would say of a driver's plans, asked without a store: for those who try a driver out. The checks are
//! the ones that real plans go through.

use crate::{root::check_mount, steps::simulate};
use davit_model::storage::{CommitPlan, LayerPlan, Place, RootPlan, StorageStep};
use std::collections::BTreeSet;

/// A layer's plan and the one that commits it, in an area where `there` is. Answers the places that are the layer's own
/// afterwards.
///
/// # Errors
/// Why the plan would be refused.
pub fn layer(there: &BTreeSet<Place>, prepare: &LayerPlan, commit: &CommitPlan) -> Result<BTreeSet<Place>, String> {
    let made = simulate(&prepare.steps, &BTreeSet::new(), |place| Ok(there.contains(place)))?;
    unpacks_into(&prepare.into, &made.left)?;
    let mut own = made.left;
    let after = simulate(&commit.steps, &own, |place| Ok(own.contains(place) || there.contains(place)))?;
    own.extend(after.left);
    own.retain(|place| !after.gone.contains(place));
    if !own.contains(&commit.place) && !there.contains(&commit.place) {
        return Err(format!("it commits to {}, which is not there", commit.place));
    }
    Ok(own)
}

/// A container's root over layers at `below`. Answers the places that are the container's own afterwards.
///
/// # Errors
/// Why the plan would be refused.
pub fn root(there: &BTreeSet<Place>, below: &BTreeSet<Place>, plan: &RootPlan) -> Result<BTreeSet<Place>, String> {
    let made = simulate(&plan.steps, &BTreeSet::new(), |place| Ok(there.contains(place)))?;
    check_mount(plan, &made.left, below)?;
    Ok(made.left)
}

/// Steps that may move, limit or discard what is `own`.
///
/// # Errors
/// Why they would be refused.
pub fn steps(there: &BTreeSet<Place>, own: &BTreeSet<Place>, steps: &[StorageStep]) -> Result<(), String> {
    simulate(steps, own, |place| Ok(there.contains(place))).map(drop)
}

/// An archive goes into a place of its plan's own making, never into one that is there.
pub(crate) fn unpacks_into(into: &Place, made: &BTreeSet<Place>) -> Result<(), String> {
    if made.contains(into) {
        return Ok(());
    }
    Err(format!("it unpacks into {into}, which none of its steps makes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use davit_model::storage::{RootMount, WhiteoutStyle};

    fn place(text: &str) -> Place {
        text.parse().unwrap()
    }

    fn prepared(into: &str, steps: Vec<StorageStep>) -> LayerPlan {
        LayerPlan { steps, into: place(into), needs_parent_first: false, whiteouts: WhiteoutStyle::Overlay }
    }

    #[test]
    fn a_layer_is_made_and_committed_where_it_was_made() {
        let dir = vec![StorageStep::MakeDir { at: place("new") }];
        let rename = StorageStep::Rename { src: place("new"), dst: place("layer") };
        let commit = CommitPlan { steps: vec![rename], place: place("layer") };
        let own = layer(&BTreeSet::new(), &prepared("new", dir.clone()), &commit);
        assert_eq!(own, Ok(BTreeSet::from([place("layer")])));
        let elsewhere = CommitPlan { steps: Vec::new(), place: place("other") };
        assert!(layer(&BTreeSet::new(), &prepared("new", dir), &elsewhere).is_err());
        assert!(layer(&BTreeSet::new(), &prepared("new", Vec::new()), &commit).is_err());
    }

    #[test]
    fn a_root_that_writes_to_a_layer_is_refused() {
        let layers = BTreeSet::from([place("layer")]);
        let mount = RootMount::Tree { at: place("layer"), writable: true };
        let plan = RootPlan { steps: Vec::new(), mount, changes: None };
        assert!(root(&layers, &layers, &plan).is_err());
    }
}
