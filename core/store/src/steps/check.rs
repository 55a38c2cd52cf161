//! A plan is played through before it is written down: what it makes must be new, what it moves or discards must be
//! its own, what it reads must be there.

use davit_model::storage::{Place, StorageStep};
use std::collections::{BTreeMap, BTreeSet};

/// What a plan would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// Every place that it makes at some time; each must be free now.
    pub(crate) made: BTreeSet<Place>,
    /// Those that are there afterwards.
    pub(crate) left: BTreeSet<Place>,
    /// Places of its own that are gone afterwards.
    pub(crate) gone: BTreeSet<Place>,
    /// Whether a place is touched by more than one step, so that undoing must know how far it came.
    pub(crate) overlapping: bool,
}

/// Plays `steps` through. `exists` answers for a place as it is now; `owned` are the places that the plan may move,
/// discard or limit.
pub(crate) fn simulate(
    steps: &[StorageStep],
    owned: &BTreeSet<Place>,
    mut exists: impl FnMut(&Place) -> Result<bool, String>,
) -> Result<Effect, String> {
    let mut effect = Effect::default();
    // What the plan has changed so far: there, or gone.
    let mut changed: BTreeMap<Place, bool> = BTreeMap::new();
    let mut touched: BTreeSet<Place> = BTreeSet::new();
    for step in steps {
        let (reads, takes, makes) = touches(step);
        for place in [reads, takes, makes].into_iter().flatten() {
            effect.overlapping |= !touched.insert(place.clone());
        }
        let mut there = |place: &Place| match changed.get(place) {
            Some(there) => Ok(*there),
            None => exists(place),
        };
        if let Some(place) = reads
            && !there(place)?
        {
            return Err(format!("{place} is not there"));
        }
        if let Some(place) = takes {
            let own = owned.contains(place) || effect.made.contains(place);
            let discards = matches!(step, StorageStep::Discard { .. });
            match there(place)? {
                false if discards => {}
                false => return Err(format!("{place} is not there")),
                true if !own => return Err(format!("{place} belongs to someone else")),
                true => {}
            }
        }
        if let Some(place) = makes {
            if there(place)? {
                return Err(format!("{place} is there already"));
            }
            if !owned.contains(place) {
                effect.made.insert(place.clone());
            }
            changed.insert(place.clone(), true);
        }
        if let (Some(place), StorageStep::Discard { .. } | StorageStep::Rename { .. }) = (takes, step) {
            changed.insert(place.clone(), false);
        }
    }
    for (place, there) in changed {
        if there {
            effect.left.insert(place);
        } else {
            effect.gone.insert(place);
        }
    }
    Ok(effect)
}

/// What a step reads, what it takes hold of, what it makes.
fn touches(step: &StorageStep) -> (Option<&Place>, Option<&Place>, Option<&Place>) {
    match step {
        StorageStep::MakeDir { at } | StorageStep::Subvolume { at } => (None, None, Some(at)),
        StorageStep::CloneTree { src, dst } | StorageStep::Snapshot { src, dst } => (Some(src), None, Some(dst)),
        StorageStep::MakeImage { src, dst, .. } => (Some(src), None, Some(dst)),
        StorageStep::Rename { src, dst } => (None, Some(src), Some(dst)),
        StorageStep::Quota { at, .. } | StorageStep::Discard { at } => (None, Some(at), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.parse().unwrap()
    }

    fn run(steps: &[StorageStep]) -> Result<Effect, String> {
        let owned = [place("mine")].into();
        simulate(steps, &owned, |p| Ok(["mine", "theirs"].contains(&p.as_str())))
    }

    #[test]
    fn what_a_plan_leaves_is_known_before() {
        let (a, b) = (place("a"), place("b"));
        let steps = [StorageStep::MakeDir { at: a.clone() }, StorageStep::Rename { src: a.clone(), dst: b.clone() }];
        let effect = run(&steps).unwrap();
        assert_eq!((effect.left, effect.gone), ([b.clone()].into(), [a.clone()].into()));
        assert_eq!(effect.made, [a, b].into());
        assert!(effect.overlapping);
    }

    #[test]
    fn a_plan_touches_nothing_of_others() {
        let theirs = || place("theirs");
        for (step, why) in [
            (StorageStep::MakeDir { at: theirs() }, "theirs is there already"),
            (StorageStep::Discard { at: theirs() }, "theirs belongs to someone else"),
            (StorageStep::Rename { src: theirs(), dst: place("x") }, "theirs belongs to someone else"),
            (StorageStep::CloneTree { src: place("nothing"), dst: place("x") }, "nothing is not there"),
            (StorageStep::Rename { src: place("mine"), dst: theirs() }, "theirs is there already"),
        ] {
            assert_eq!(run(&[step]).unwrap_err(), why);
        }
        assert!(run(&[StorageStep::CloneTree { src: theirs(), dst: place("x") }]).is_ok());
        assert!(run(&[StorageStep::Discard { at: place("nothing") }]).is_ok());
    }
}
