//! The flags of an instruction: `--name=value` before its words. Pure.

use super::{
    error::{SyntaxError, shown},
    words::first,
};

/// Takes the flags off. `known` are those that the instruction has; each takes a value and stands once.
pub(crate) fn take<'a, const N: usize>(
    instruction: &'static str,
    mut text: &'a str,
    known: [&str; N],
) -> Result<([Option<String>; N], &'a str), SyntaxError> {
    let mut values = [const { None }; N];
    while text.starts_with("--") {
        let (word, rest) = first(text);
        text = rest;
        if word == "--" {
            break;
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let place = known.iter().zip(values.iter_mut()).find(|(k, _)| name.strip_prefix("--") == Some(k));
        let Some((_, place)) = place else {
            return Err(SyntaxError::Flag { instruction, flag: shown(name) });
        };
        let wrong = |why| SyntaxError::FlagValue { instruction, flag: shown(name), why };
        let value = value.filter(|v| !v.is_empty()).ok_or_else(|| wrong("wants a value: --flag=value"))?;
        if place.replace(value.to_owned()).is_some() {
            return Err(wrong("stands twice"));
        }
    }
    Ok((values, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_stand_before_the_words() {
        let (flags, rest) = take("COPY", "--from=a  --chown=1:2 b --c=d", ["from", "chown", "chmod"]).unwrap();
        assert_eq!(flags, [Some("a".into()), Some("1:2".into()), None]);
        assert_eq!(rest, "b --c=d");
    }

    #[test]
    fn flags_that_are_not_known_are_refused() {
        for (text, why) in [
            ("--link a b", "--link is not supported"),
            ("--from a b", "wants a value"),
            ("--from= a", "wants a value"),
            ("--from=a --from=b c", "stands twice"),
        ] {
            let error = take("COPY", text, ["from"]).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
