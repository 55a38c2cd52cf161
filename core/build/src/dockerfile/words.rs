//! Words of a line: split at white space, with quotes and escapes left for [`super::expand`] to take away. Pure.

/// Words split at white space that is neither quoted nor escaped. A quote that is not closed reaches to the end.
pub(crate) fn quoted(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match quote {
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if c == '"' || c == '\'' => quote = Some(c),
            Some(q) if c == q => quote = None,
            // Within single quotes nothing escapes.
            _ if c == escape && quote != Some('\'') => {
                word.push(c);
                word.extend(chars.next());
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The exec form: a JSON list of strings. Anything else is the shell form, as in every Dockerfile.
pub(crate) fn json_list(text: &str) -> Option<Vec<String>> {
    text.starts_with('[').then(|| serde_json::from_str(text).ok()).flatten()
}

/// The first word and what follows it.
pub(crate) fn first(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes_keep_a_word_together() {
        for (text, expected) in [
            ("a=b  c", vec!["a=b", "c"]),
            (r#"a="b c" d"#, vec![r#"a="b c""#, "d"]),
            (r"a=b\ c d", vec![r"a=b\ c", "d"]),
            (r"'a\' b", vec![r"'a\'", "b"]),
            (r#""a\" b" c"#, vec![r#""a\" b""#, "c"]),
            (r#""open to the end"#, vec![r#""open to the end"#]),
            ("", vec![]),
        ] {
            assert_eq!(quoted(text, '\\'), expected, "{text}");
        }
    }

    #[test]
    fn only_a_list_of_strings_is_the_exec_form() {
        assert_eq!(json_list(r#"["a", "b c"]"#).unwrap(), ["a", "b c"]);
        for other in ["[ -f x ] && y", "['a']", "[1]", "echo", "", r#"["a"] x"#] {
            assert_eq!(json_list(other), None, "{other}");
        }
    }
}
