//! Rights, as an operator is asked for them and gives them.

use crate::{
    answer::{items, text, texts},
    context::Context,
    error::{Error, Result},
    question,
};
use davit_api_types::v1::Rights;
use serde_json::Value;
use std::{collections::BTreeSet, io::IsTerminal as _, path::PathBuf};

/// How a grant is given where it is not asked for at the terminal.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Given {
    /// Grant all that the plugin asks for
    #[arg(short = 'y', long)]
    yes: bool,
    /// Grant what this file says: a grant as the site's file has it, in TOML
    #[arg(long, value_name = "FILE", conflicts_with = "yes")]
    grant: Option<PathBuf>,
    /// Grant nothing
    #[arg(long, conflicts_with_all = ["yes", "grant"])]
    no_grant: bool,
}

impl Given {
    /// Whether neither a flag nor a person at the terminal can say what is granted.
    pub(super) fn nobody_says(&self) -> bool {
        !self.yes && self.grant.is_none() && !self.no_grant && !std::io::stdin().is_terminal()
    }

    /// The rights that are granted of those asked for; those not in `known` are asked about. None: the user said no.
    pub(super) fn of(&self, ctx: &Context, asks: &Value, known: &BTreeSet<&str>) -> Result<Option<Rights>> {
        if let Some(file) = &self.grant {
            let table = std::fs::read_to_string(file).map_err(Error::io("read", file.display().to_string()))?;
            return Ok(Some(Rights { table, ..Rights::default() }));
        }
        let asked = items(asks, "");
        let new: Vec<&Value> = asked.iter().filter(|ask| !known.contains(text(ask, "/Right"))).collect();
        if self.no_grant || asked.is_empty() {
            return Ok(Some(Rights::default()));
        }
        if self.yes || new.is_empty() {
            return Ok(Some(Rights { all: true, ..Rights::default() }));
        }
        for line in lines(&new) {
            ctx.out.note(&line);
        }
        Ok(question::yes("Grant it?", "--yes, --no-grant or --grant FILE")?
            .then(|| Rights { all: true, ..Rights::default() }))
    }
}

/// What a plugin asks for, in words.
pub(super) fn lines(asks: &[&Value]) -> Vec<String> {
    let line = |ask: &&Value| match text(ask, "/Why") {
        "" => format!("  {} ({})", text(ask, "/Means"), text(ask, "/Right")),
        why => format!("  {} ({}): {why}", text(ask, "/Means"), text(ask, "/Right")),
    };
    std::iter::once("It asks to".to_owned()).chain(asks.iter().map(line)).collect()
}

/// The difference between what two versions ask for, in words: `+` and `-`.
pub(super) fn difference(before: &Value, after: &Value) -> Vec<String> {
    let words = |asks: &Value| -> BTreeSet<String> {
        items(asks, "").iter().map(|ask| text(ask, "/Right").to_owned()).collect()
    };
    let (before, after) = (words(before), words(after));
    let more = after.difference(&before).map(|right| format!("  + {right}"));
    more.chain(before.difference(&after).map(|right| format!("  - {right}"))).collect()
}

/// What a plugin was granted.
pub(super) fn granted(plugin: &Value) -> BTreeSet<&str> {
    texts(plugin, "/Granted").into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_asked_is_said_in_words_with_the_reason() {
        let ask = json!({"Right": "state", "Means": "remember up to a mebibyte of its own", "Why": "tokens are kept"});
        let said = lines(&[&ask]);
        assert_eq!(said, ["It asks to", "  remember up to a mebibyte of its own (state): tokens are kept"]);
    }

    #[test]
    fn an_upgrade_shows_what_is_more_and_what_is_less() {
        let before = json!([{"Right": "state"}, {"Right": "http realm"}]);
        let after = json!([{"Right": "http realm"}, {"Right": "secret key"}]);
        assert_eq!(difference(&before, &after), ["  + secret key", "  - state"]);
    }
}
