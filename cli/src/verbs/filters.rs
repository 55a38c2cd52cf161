//! `--filter key=value`, repeated, as the API takes it: `{"key":["value",…]}`.

use crate::error::{Error, Result};
use std::collections::BTreeMap;

pub(super) fn filters(flags: &[String]) -> Result<Option<String>> {
    let mut all: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for flag in flags {
        let Some((key, value)) = flag.split_once('=') else {
            return Err(Error::flag(format!("invalid filter: {flag:?}: written as KEY=VALUE")));
        };
        all.entry(key.trim().to_ascii_lowercase()).or_default().push(value.trim());
    }
    Ok((!all.is_empty()).then(|| serde_json::to_string(&all).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_takes_several_values() {
        let flags = ["status=exited", "label=a=b", "status=created"].map(str::to_owned);
        assert_eq!(filters(&flags).unwrap().as_deref(), Some(r#"{"label":["a=b"],"status":["exited","created"]}"#));
        assert_eq!(filters(&[]).unwrap(), None);
        assert!(filters(&["running".to_owned()]).is_err());
    }
}
