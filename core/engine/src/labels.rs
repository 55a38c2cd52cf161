//! Filters over labels, the same for containers, images, volumes and networks.

use jiff::Timestamp;
use std::collections::BTreeMap;

/// Whether labels have what is wanted: `key`, or `key=value`.
pub fn has_label(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|have| have == value),
        None => labels.contains_key(wanted),
    }
}

/// What a `prune` spares and what it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneFilter {
    /// Labels that must all be there.
    pub label: Vec<String>,
    /// Labels of which none may be there.
    pub not_label: Vec<String>,
    /// Only what was made before.
    pub until: Option<Timestamp>,
}

impl PruneFilter {
    /// Whether something made then, with these labels, goes.
    pub(crate) fn takes(&self, labels: &BTreeMap<String, String>, made: Option<Timestamp>) -> bool {
        self.label.iter().all(|l| has_label(labels, l))
            && !self.not_label.iter().any(|l| has_label(labels, l))
            && self.until.is_none_or(|until| made.is_some_and(|made| made < until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prune_takes_what_all_its_filters_want() {
        let labels = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        let filter = |label: &str, not: &str| PruneFilter {
            label: Some(label.to_owned()).filter(|l| !l.is_empty()).into_iter().collect(),
            not_label: Some(not.to_owned()).filter(|l| !l.is_empty()).into_iter().collect(),
            until: Timestamp::from_second(10).ok(),
        };
        let (early, late) = (Timestamp::from_second(9).ok(), Timestamp::from_second(10).ok());
        assert!(filter("a=1", "").takes(&labels, early) && filter("a", "b").takes(&labels, early));
        assert!(!filter("a=2", "").takes(&labels, early) && !filter("", "a").takes(&labels, early));
        assert!(!filter("", "").takes(&labels, late) && !filter("", "").takes(&labels, None));
    }
}
