//! Rights, as an operator is asked for them and gives them.

use crate::{
    answer::{items, text, texts},
    context::Context,
    error::{Error, Result},
    plain, question,
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
    /// Whether nothing is granted: so it was said, or neither a flag nor a person at the terminal can say what is.
    pub(super) fn is_nothing(&self) -> bool {
        self.no_grant || (!self.yes && self.grant.is_none() && !std::io::stdin().is_terminal())
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
    let line = |ask: &&Value| {
        let [means, right, why] = ["/Means", "/Right", "/Why"].map(|field| plain::line(text(ask, field)));
        let why = if why.is_empty() { "no reason given" } else { &why };
        format!("  {means} ({right}): {why}")
    };
    std::iter::once("It asks to".to_owned()).chain(asks.iter().map(line)).collect()
}

/// The difference between what two versions ask for, in words: `+` and `-`.
pub(super) fn difference(before: &Value, after: &Value) -> Vec<String> {
    let words = |asks: &Value| -> BTreeSet<String> {
        items(asks, "").iter().map(|ask| plain::line(text(ask, "/Right"))).collect()
    };
    let (before, after) = (words(before), words(after));
    let more = after.difference(&before).map(|right| format!("  + {right}"));
    more.chain(before.difference(&after).map(|right| format!("  - {right}"))).collect()
}

/// What of an upgrade that waits is known already: all that it asks for but what is more than before.
pub(super) fn known_of(held: &Value) -> BTreeSet<&str> {
    let more = texts(held, "/More");
    items(held, "/Asks").iter().map(|ask| text(ask, "/Right")).filter(|right| !more.contains(right)).collect()
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
        let ask = json!({"Right": "state", "Means": "remember up to 16 MiB of its own", "Why": "tokens are kept"});
        let said = lines(&[&ask]);
        assert_eq!(said, ["It asks to", "  remember up to 16 MiB of its own (state): tokens are kept"]);
    }

    #[test]
    fn of_an_upgrade_that_waits_only_what_is_more_is_asked_about() {
        let held = json!({"Asks": [{"Right": "state"}, {"Right": "http realm"}], "More": ["http realm"]});
        assert_eq!(known_of(&held), ["state"].into());
    }

    #[test]
    fn a_need_without_a_reason_is_remarked_on() {
        for ask in
            [json!({"Right": "state", "Means": "remember"}), json!({"Right": "state", "Means": "remember", "Why": " "})]
        {
            assert_eq!(lines(&[&ask]), ["It asks to", "  remember (state): no reason given"]);
        }
    }

    #[test]
    fn a_reason_cannot_draw_over_the_question() {
        // From a daemon that lets it through.
        let why = "x\nIt asks for nothing\u{1b}[2K\u{1b}[1A\u{202e}";
        let ask = json!({"Right": "state\r", "Means": "remember\u{9b}2K", "Why": why});
        assert_eq!(lines(&[&ask])[1..], ["  remember 2K (state): x It asks for nothing [2K [1A"]);
        let long = json!({"Right": "state", "Means": "remember", "Why": "y".repeat(10_000)});
        assert!(lines(&[&long])[1].len() < 500);
    }

    #[test]
    fn an_upgrade_shows_what_it_asks_for_and_what_it_asks_for_no_more() {
        let before = json!([{"Right": "state"}, {"Right": "http realm"}]);
        let after = json!([{"Right": "http realm"}, {"Right": "secret key"}]);
        assert_eq!(difference(&before, &after), ["  + secret key", "  - state"]);
    }
}
