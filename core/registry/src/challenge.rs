//! `WWW-Authenticate` (RFC 9110, section 11.6.1): a list of challenges, each with a token68 or with parameters. The
//! same comma separates challenges and parameters, so a challenge is known by a word that no `=` follows.

use std::collections::BTreeMap;

/// One challenge: its scheme in lower case, its parameters with names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// `basic`, `bearer`, ….
    pub(crate) scheme: String,
    /// `realm`, `service`, ….
    pub(crate) params: BTreeMap<String, String>,
}

/// How much of one header field is read.
const LIMIT: usize = 16 * 1024;

/// All challenges of one field value. What does not follow the grammar ends the reading; what came before it counts.
pub(crate) fn parse(field: &str) -> Vec<Parsed> {
    let mut cursor = Cursor { rest: field.get(..LIMIT).unwrap_or(field) };
    let mut found: Vec<Parsed> = Vec::new();
    loop {
        cursor.skip(|c| c == ',' || is_space(c));
        let Some(word) = cursor.token() else { return found };
        let after_word = cursor.rest;
        cursor.skip(is_space);
        if cursor.eat('=') && !found.is_empty() {
            cursor.skip(is_space);
            let Some(value) = cursor.value() else { return found };
            if let Some(challenge) = found.last_mut() {
                challenge.params.entry(word.to_ascii_lowercase()).or_insert(value);
            }
            continue;
        }
        cursor.rest = after_word;
        found.push(Parsed { scheme: word.to_ascii_lowercase(), params: BTreeMap::new() });
        if !cursor.next_is(|c| is_space(c) || c == ',') && !cursor.rest.is_empty() {
            return found;
        }
        cursor.skip_token68();
    }
}

struct Cursor<'a> {
    rest: &'a str,
}

impl Cursor<'_> {
    fn next_is(&self, want: impl Fn(char) -> bool) -> bool {
        self.rest.chars().next().is_some_and(want)
    }

    fn skip(&mut self, what: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(what);
    }

    fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take_while(&mut self, what: impl Fn(char) -> bool) -> Option<String> {
        let end = self.rest.find(|c| !what(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!taken.is_empty()).then(|| taken.to_owned())
    }

    fn token(&mut self) -> Option<String> {
        self.take_while(is_token)
    }

    /// A token or a quoted string, its escapes undone.
    fn value(&mut self) -> Option<String> {
        if !self.eat('"') {
            return self.token();
        }
        let mut value = String::new();
        let mut chars = self.rest.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => value.push(chars.next()?),
                c => value.push(c),
            }
        }
        self.rest = chars.as_str();
        Some(value)
    }

    /// Passes over a token68 after a scheme: letters, then any number of `=`, then a comma or the end.
    fn skip_token68(&mut self) {
        let start = self.rest;
        self.skip(is_space);
        let letters = self.take_while(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
        self.skip(|c| c == '=');
        self.skip(is_space);
        if letters.is_none() || !(self.rest.is_empty() || self.rest.starts_with(',')) {
            self.rest = start;
        }
    }
}

fn is_space(c: char) -> bool {
    c == ' ' || c == '\t'
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(scheme: &str, params: &[(&str, &str)]) -> Parsed {
        let params = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Parsed { scheme: scheme.into(), params }
    }

    #[test]
    fn a_registrys_bearer_challenge_is_read() {
        let field = r#"Bearer realm="https://auth.example/token",service="r",scope="repository:a/b:pull,push""#;
        let want = [("realm", "https://auth.example/token"), ("service", "r"), ("scope", "repository:a/b:pull,push")];
        assert_eq!(parse(field), [one("bearer", &want)]);
    }

    #[test]
    fn several_challenges_share_one_field() {
        let field = r#"Negotiate, Basic realm="a \"b\"" , charset=UTF-8, NTLM dG9rZW4=, Bearer REALM = "x""#;
        assert_eq!(
            parse(field),
            [
                one("negotiate", &[]),
                one("basic", &[("realm", "a \"b\""), ("charset", "UTF-8")]),
                one("ntlm", &[]),
                one("bearer", &[("realm", "x")]),
            ]
        );
    }

    #[test]
    fn broken_fields_end_the_reading() {
        assert_eq!(parse(r#"Bearer realm="open"#), [one("bearer", &[])]);
        assert_eq!(parse(""), []);
        assert_eq!(parse("=,="), []);
        assert_eq!(parse("Basic realm=a, \u{1}"), [one("basic", &[("realm", "a")])]);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_no_scheme_is_empty(field in "\\PC{0,200}") {
            for c in parse(&field) {
                prop_assert!(!c.scheme.is_empty());
            }
        }

        #[test]
        fn what_is_written_is_read_back(
            challenges in prop::collection::vec(
                ("[a-z][a-z0-9-]{0,8}", prop::collection::btree_map("[a-z]{1,6}", "[ -~]{0,20}", 1..4)), 1..4)
        ) {
            let quoted = |v: &str| v.replace('\\', "\\\\").replace('"', "\\\"");
            let field = challenges.iter().map(|(scheme, params)| {
                let params: Vec<_> = params.iter().map(|(k, v)| format!("{k}=\"{}\"", quoted(v))).collect();
                format!("{scheme} {}", params.join(", "))
            }).collect::<Vec<_>>().join(", ");
            let want: Vec<_> = challenges.into_iter().map(|(scheme, params)| Parsed { scheme, params }).collect();
            prop_assert_eq!(parse(&field), want);
        }
    }
}
