//! What a site's file must keep to beyond its form. What would be read and then do nothing is refused: whoever wrote it
//! believes that it holds.

use super::Site;
use crate::{error::EngineError, policy::Pattern};
use std::collections::BTreeSet;

impl Site {
    /// What can be said of the file alone.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        self.check_auth()?;
        self.check_network()?;
        self.check_lifecycle()
    }

    /// Each `[plugins.NAME]` is of a plugin that the file uses, or of one that is installed and could be used.
    pub(crate) fn check_sections(&self, installed: &BTreeSet<&str>) -> Result<(), EngineError> {
        let used = self.used();
        let known: BTreeSet<&str> = used.keys().copied().chain(installed.iter().copied()).collect();
        let Some(name) = self.plugins.keys().find(|name| !known.contains(name.as_str())) else { return Ok(()) };
        let hint = nearest(name, &known).map_or_else(
            || format!("name {name} where it is to be used, or take the section out"),
            |near| format!("did you mean {near}?"),
        );
        Err(self.wrong(
            &format!("plugins/{name}"),
            format!("[plugins.{name}] is of no plugin that this file uses or that is installed; {hint}"),
        ))
    }

    fn check_auth(&self) -> Result<(), EngineError> {
        for (n, rule) in self.auth.iter().enumerate() {
            let own = Pattern::new(rule.pattern.as_str());
            let mut before = self.auth.iter().take(n).enumerate();
            if let Some((m, first)) = before.find(|(_, first)| Pattern::new(first.pattern.as_str()).covers(&own)) {
                let text = format!(
                    "[[auth]] {:?} is never asked: {:?} stands before it ({}) and takes all that it matches",
                    rule.pattern,
                    first.pattern,
                    self.at(&format!("auth/{m}/pattern"))
                );
                return Err(self.wrong(&format!("auth/{n}/pattern"), text));
            }
        }
        Ok(())
    }

    fn check_network(&self) -> Result<(), EngineError> {
        let network = &self.network;
        if !network.drivers.contains(&network.default) {
            let text =
                format!("[network] default = {:?} is not among its drivers {:?}", network.default, network.drivers);
            return Err(self.wrong("network/default", text));
        }
        for (n, pool) in network.pool.iter().enumerate() {
            if pool.size < pool.base.prefix_len() || pool.size > pool.base.max_prefix_len() {
                let text = format!("[network] pool {}: subnets of /{} do not fit into it", pool.base, pool.size);
                return Err(self.wrong(&format!("network/pool/{n}"), text));
            }
        }
        let pools = network.pools().map(drop);
        pools.map_err(|e| e.context("[network] pool").context(&self.at("network/pool")))
    }

    fn check_lifecycle(&self) -> Result<(), EngineError> {
        let mut before: BTreeSet<&str> = BTreeSet::new();
        for (n, rule) in self.lifecycle.iter().enumerate() {
            if let Some(name) = rule.after.iter().find(|name| !before.contains(name.as_str())) {
                let text = format!(
                    "[[lifecycle]] {:?} is to come after {name:?}, which does not stand before it",
                    rule.plugin
                );
                return Err(self.wrong(&format!("lifecycle/{n}/after"), text));
            }
            if !before.insert(&rule.plugin) {
                let text = format!(
                    "[[lifecycle]] {:?} stands in the chain already; to ask it twice, give it a second name with \
                     source in [plugins.NAME]",
                    rule.plugin
                );
                return Err(self.wrong(&format!("lifecycle/{n}/plugin"), text));
            }
        }
        Ok(())
    }

    fn wrong(&self, what: &str, text: String) -> EngineError {
        EngineError::invalid(text).context(&self.at(what))
    }
}

/// The name that was meant, where one is near enough.
fn nearest<'a>(name: &str, known: &BTreeSet<&'a str>) -> Option<&'a str> {
    let near = known.iter().map(|other| (edits(name, other), *other)).min()?;
    (near.0 <= (name.len() / 3).max(1)).then_some(near.1)
}

/// How many letters must be put in, taken out or changed to make one text of the other (Levenshtein).
fn edits(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (n, a) in one.chars().enumerate() {
        let (mut corner, mut left) = (n, n + 1);
        for (above, b) in row.iter_mut().skip(1).zip(other.chars()) {
            left = (corner + usize::from(a != b)).min(*above + 1).min(left + 1);
            corner = std::mem::replace(above, left);
        }
        if let Some(first) = row.first_mut() {
            *first = n + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_meant_is_the_nearest_one_and_none_where_all_are_far() {
        let known = BTreeSet::from(["image-policy", "site-defaults", "none"]);
        for (name, meant) in [
            ("image_policy", Some("image-policy")),
            ("site-default", Some("site-defaults")),
            ("imagepolicy", Some("image-policy")),
            ("nobody", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, &known), meant, "{name:?}");
        }
        assert_eq!((edits("kitten", "sitting"), edits("", "abc"), edits("abc", "")), (3, 3, 3));
    }
}
