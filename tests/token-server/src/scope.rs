//! Scopes: `repository:<name>:<action>,…`, and which of them a grant allows.

use anyhow::{Context as _, bail};
use std::{collections::BTreeSet, str::FromStr};

/// Actions on the repositories that match a pattern, in which a `*` at the end stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// `demo/*`, `demo/app`, `*`.
    pub pattern: String,
    /// `pull`, `push`, `delete`.
    pub actions: BTreeSet<String>,
}

impl FromStr for Grant {
    type Err = anyhow::Error;
    /// Reads `PATTERN=ACTION,ACTION`.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (pattern, actions) = text.split_once('=').with_context(|| format!("{text:?} is not PATTERN=ACTIONS"))?;
        let actions: BTreeSet<String> = actions.split(',').map(str::to_owned).collect();
        for action in &actions {
            if !matches!(action.as_str(), "pull" | "push" | "delete" | "*") {
                bail!("{action:?} is not pull, push, delete or *");
            }
        }
        Ok(Self { pattern: pattern.to_owned(), actions })
    }
}

impl Grant {
    /// Everything.
    pub fn all() -> Self {
        Self { pattern: "*".to_owned(), actions: BTreeSet::from(["*".to_owned()]) }
    }

    fn allows(&self, wanted: &Permission) -> bool {
        let matches = match self.pattern.strip_suffix('*') {
            Some(start) => wanted.repository.starts_with(start),
            None => wanted.repository == self.pattern,
        };
        matches && (self.actions.contains("*") || self.actions.contains(&wanted.action))
    }
}

/// One action on one repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Permission {
    pub(crate) repository: String,
    pub(crate) action: String,
}

/// The permissions that a scope asks for; parts that are no repository's are left out.
pub(crate) fn wanted(scope: &str) -> Vec<Permission> {
    let mut all = Vec::new();
    for part in scope.split(' ') {
        let Some((name, actions)) = part.strip_prefix("repository:").and_then(|p| p.rsplit_once(':')) else { continue };
        let one = |action: &str| Permission { repository: name.to_owned(), action: action.to_owned() };
        all.extend(actions.split(',').map(one));
    }
    all
}

/// What of `wanted` the grants allow.
pub(crate) fn allowed(wanted: Vec<Permission>, grants: &[Grant]) -> BTreeSet<Permission> {
    wanted.into_iter().filter(|p| grants.iter().any(|g| g.allows(p))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_gives_what_it_names_and_no_more() {
        let grants = ["demo/*=pull".parse().unwrap(), "demo/app=push".parse().unwrap()];
        let got =
            allowed(wanted("repository:demo/app:pull,push repository:demo/x:pull,push repository:y:pull"), &grants);
        let got: Vec<_> = got.iter().map(|p| format!("{} {}", p.repository, p.action)).collect();
        assert_eq!(got, ["demo/app pull", "demo/app push", "demo/x pull"]);
    }
}
