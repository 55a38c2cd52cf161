//! Rights in words held against each other: what of a grant is asked for, what one version asks for beyond another, what is
//! left of a grant. What is broader covers what is narrower: `adjust /labels/*` covers `adjust /labels/team`.

use crate::{ask::Ask, grant::Grant};
use std::collections::BTreeSet;

/// Rights in words.
pub type Words = BTreeSet<String>;

fn each(words: &Words) -> impl Iterator<Item = &str> {
    words.iter().map(String::as_str)
}

fn granted(words: &Words) -> Result<Grant, String> {
    Grant::from_words("", each(words))
}

/// What of a grant is asked for. What belongs to stored credentials (a file, callers) is the site's to say.
///
/// # Errors
/// The word that cannot be read.
pub fn common(asks: &Words, grant: &Words) -> Result<Words, String> {
    let (needs, grant) = (Ask::needs_from_words(each(asks))?, granted(grant)?);
    let rights = needs.common(&grant.rights);
    let both = if needs.credentials { Grant { rights, ..grant } } else { Grant { rights, ..Grant::default() } };
    Ok(both.in_words().into_iter().collect())
}

/// What is asked for beyond what was asked for before, and granted.
///
/// # Errors
/// The word that cannot be read.
pub fn beyond(asks: &Words, before: &Words, grant: &Words) -> Result<Words, String> {
    let before = Ask::needs_from_words(each(before))?;
    let more = Ask::needs_from_words(each(asks))?.beyond(&[&before, &granted(grant)?.rights]);
    Ok(more.in_words().into_iter().collect())
}

/// What is left of a grant without these rights.
///
/// # Errors
/// The word that cannot be read, that takes nothing away, or that would take a part of a right.
pub fn without(grant: &Words, revoked: &Words) -> Result<Words, String> {
    let (all, gone) = (granted(grant)?, granted(revoked)?);
    let of_site = |key: &str| key.starts_with("credential-");
    let beside = each(grant).filter(|word| of_site(word) && !revoked.contains(*word)).map(str::to_owned);
    let rights = all.rights.beyond(&[&gone.rights]);
    for word in each(revoked) {
        let only = BTreeSet::from([word.to_owned()]);
        if of_site(word) && grant.contains(word) {
            continue;
        }
        let word_rights = granted(&only)?.rights;
        if all.rights.common(&word_rights).is_nothing() {
            let has: Vec<&str> = each(grant).collect();
            return Err(format!("it was not granted {word:?}; it was granted: {}", has.join(", ")));
        }
        if let Some(part) = rights
            .in_words()
            .iter()
            .find(|left| Ask::from_words([left.as_str()]).is_ok_and(|left| !left.common(&word_rights).is_nothing()))
        {
            return Err(format!("{word:?} is a part of {part:?}; revoke that, and grant again what shall stay"));
        }
    }
    Ok(rights.in_words().into_iter().chain(beside).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(all: &[&str]) -> Words {
        all.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_grant_gives_what_is_asked_for_and_no_more() {
        let asks = words(&["http GET https://a.example", "secret *", "adjust /labels/*", "state"]);
        for (grant, both) in [
            (["http https://a.example"].as_slice(), ["http GET https://a.example"].as_slice()),
            (&["http realm", "link-local"], &[]),
            (&["secret key https://a.example"], &["secret key https://a.example"]),
            (&["adjust /labels/team", "adjust /env/A"], &["adjust /labels/team"]),
            (&["credential-caller uid:0"], &[]),
        ] {
            assert_eq!(common(&asks, &words(grant)).unwrap(), words(both), "{grant:?}");
        }
        let stored = words(&["credentials", "credential-file /etc/c.json", "credential-caller uid:0"]);
        assert_eq!(common(&words(&["credentials"]), &stored).unwrap(), stored);
        for wrong in ["http *", "nonsense", "credential-file c.json"] {
            assert!(common(&asks, &words(&[wrong])).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_version_asks_for_more_where_it_asks_for_what_nothing_before_covers() {
        let before = words(&[
            "http https://a.example",
            "http GET https://b.example",
            "http *",
            "secret key",
            "adjust /labels/*",
            "interface *",
            "state",
        ]);
        let grant = words(&["interface eth1", "credential-file /etc/c.json"]);
        for (ask, more) in [
            ("http GET https://a.example", false),
            ("http https://b.example", true),
            ("http POST *", false),
            ("http https://c.example", true),
            ("secret key https://a.example", false),
            ("secret other", true),
            ("adjust /labels/team", false),
            ("adjust /labels/*/deep", true),
            ("interface *", false),
            ("interface eth1", false),
            ("interface eth2", true),
            ("state", false),
            ("credentials", true),
        ] {
            let beyond = beyond(&words(&[ask]), &before, &grant).unwrap();
            assert_eq!(beyond, if more { words(&[ask]) } else { words(&[]) }, "{ask}");
        }
        let split = words(&["http GET https://a.example", "http POST https://a.example"]);
        let both = words(&["http GET,POST https://a.example"]);
        assert!(beyond(&both, &split, &words(&[])).unwrap().is_empty());
    }

    #[test]
    fn what_is_revoked_is_gone_and_no_part_of_it_is_left() {
        let grant =
            words(&["http GET,POST https://a.example", "adjust /labels/team", "state", "credential-caller uid:0"]);
        let left = |revoked: &[&str]| without(&grant, &words(revoked));
        let gone = left(&["http POST,GET https://a.example:443", "credential-caller uid:0"]).unwrap();
        assert_eq!(gone, words(&["adjust /labels/team", "state"]));
        assert!(!left(&["adjust /labels/*"]).unwrap().contains("adjust /labels/team"), "it was all that this is");
        assert!(!left(&["http https://a.example"]).unwrap().iter().any(|word| word.starts_with("http")));
        assert!(left(&["http POST https://a.example"]).unwrap_err().contains("is a part of"));
        for never in ["adjust /env/A", "link-local", "credential-caller uid:1"] {
            assert!(left(&[never]).unwrap_err().contains("was not granted"), "{never}");
        }
    }
}
