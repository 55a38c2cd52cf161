//! The `filters` parameter: a JSON object of lists, or of sets as old clients write them.

use crate::{failure::ApiError, show};
use davit_engine::PruneFilter;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Filters by key. Whoever serves a list takes the keys it knows; what is left is an error.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Filters(BTreeMap<String, Vec<String>>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    List(Vec<String>),
    Set(BTreeMap<String, bool>),
}

impl Filters {
    /// Reads the parameter; absent and empty are no filters.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        let Some(text) = text.filter(|t| !t.is_empty()) else { return Ok(Self::default()) };
        let read: BTreeMap<String, Values> =
            serde_json::from_str(text).map_err(|e| ApiError::invalid(format!("invalid filter: {e}")))?;
        let list = |values| match values {
            Values::List(list) => list,
            Values::Set(set) => set.into_iter().filter(|(_, on)| *on).map(|(value, _)| value).collect(),
        };
        Ok(Self(read.into_iter().map(|(key, values)| (key, list(values))).collect()))
    }

    /// The values of a key.
    pub(crate) fn take(&mut self, key: &str) -> Vec<String> {
        self.0.remove(key).unwrap_or_default()
    }

    /// The values of a key, as numbers.
    pub(crate) fn take_numbers(&mut self, key: &str) -> Result<Vec<i64>, ApiError> {
        let number = |v: &String| v.parse().map_err(|_| invalid(key, v));
        self.take(key).iter().map(number).collect()
    }

    /// The value of a key that says yes or no.
    pub(crate) fn take_flag(&mut self, key: &str) -> Result<Option<bool>, ApiError> {
        match self.take(key).last().map(String::as_str) {
            None => Ok(None),
            Some("1" | "true") => Ok(Some(true)),
            Some("0" | "false") => Ok(Some(false)),
            Some(other) => Err(invalid(key, other)),
        }
    }

    /// What every `prune` knows; nothing else may be left.
    pub(crate) fn finish_prune(mut self, now: Timestamp) -> Result<PruneFilter, ApiError> {
        let until = self.take("until").pop();
        let moment = |text: String| {
            let ago = || text.parse::<jiff::SignedDuration>().ok().and_then(|d| now.checked_sub(d).ok());
            show::time::parse(&text).or_else(ago).ok_or_else(|| invalid("until", &text))
        };
        let filter = PruneFilter {
            label: self.take("label"),
            not_label: self.take("label!"),
            until: until.map(moment).transpose()?,
        };
        self.finish()?;
        Ok(filter)
    }

    /// Nothing must be left.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        match self.0.keys().next() {
            Some(key) => Err(ApiError::invalid(format!("invalid filter '{key}'"))),
            None => Ok(()),
        }
    }
}

fn invalid(key: &str, value: &str) -> ApiError {
    ApiError::invalid(format!("invalid filter '{key}={value}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let mut list = Filters::parse(Some(r#"{"label":["a","b=c"],"exited":["137"]}"#)).unwrap();
        let mut set =
            Filters::parse(Some(r#"{"label":{"a":true,"b=c":true,"d":false},"dangling":{"true":true}}"#)).unwrap();
        assert_eq!(list.take("label"), set.take("label"));
        assert_eq!(list.take_numbers("exited"), Ok(vec![137]));
        assert_eq!(set.take_flag("dangling"), Ok(Some(true)));
        assert_eq!(set.finish(), Ok(()));
    }

    #[test]
    fn a_prune_is_bounded_by_a_moment_or_an_age() {
        let now = Timestamp::from_second(100_000).unwrap();
        let until = |text: &str| {
            let filters = Filters::parse(Some(&format!(r#"{{"until":["{text}"],"label!":["a"]}}"#))).unwrap();
            filters.finish_prune(now).map(|f| f.until.map(|t| t.as_second()))
        };
        for (text, want) in [("24h", 13_600), ("1h30m", 94_600), ("5", 5), ("1970-01-01T00:00:07Z", 7)] {
            assert_eq!(until(text), Ok(Some(want)), "{text}");
        }
        assert!(until("soon").is_err());
    }

    #[test]
    fn unknown_keys_and_bad_values_are_refused() {
        let bad = Filters::parse(Some(r#"{"colour":["red"]}"#)).unwrap().finish();
        assert_eq!(bad.unwrap_err().to_string(), "invalid filter 'colour'");
        let mut number = Filters::parse(Some(r#"{"exited":["x"]}"#)).unwrap();
        assert_eq!(number.take_numbers("exited").unwrap_err().to_string(), "invalid filter 'exited=x'");
        assert!(Filters::parse(Some("[1]")).is_err());
    }
}
