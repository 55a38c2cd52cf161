//! Patterns of paths: those of `COPY` (Go's `filepath.Match`) and of `.dockerignore` (the same with `**`). Pure. A
//! pattern is run as a set of states, so no pattern takes longer than its length times the path's.

/// A pattern that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pattern {0:?} is malformed")]
pub struct PatternError(String);

/// A pattern, ready to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Token>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// `?`: one character, no slash.
    One,
    /// `*`: any number, no slash.
    Some,
    /// `**` at the end or within a name: anything.
    All,
    /// `**/`: may be passed over with its `Within`.
    Folders,
    /// Within the folders of `**/`: left after a slash.
    Within,
    Class {
        not: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Pattern {
    /// A pattern of `COPY`: `*` stops at slashes, `**` is the same as `*`.
    pub(crate) fn glob(text: &str) -> Result<Self, PatternError> {
        Self::read(text, false)
    }

    /// A pattern of `.dockerignore`: `**` crosses slashes.
    pub(crate) fn ignore(text: &str) -> Result<Self, PatternError> {
        Self::read(text, true)
    }

    fn read(text: &str, deep: bool) -> Result<Self, PatternError> {
        let fail = || PatternError(text.chars().take(200).collect());
        let mut tokens = Vec::new();
        let mut chars = text.chars().peekable();
        let mut begins = true;
        while let Some(c) = chars.next() {
            let at_start = std::mem::replace(&mut begins, c == '/');
            let token = match c {
                '*' if chars.peek() == Some(&'*') && deep => {
                    while chars.next_if_eq(&'*').is_some() {}
                    if at_start && chars.next_if_eq(&'/').is_some() {
                        begins = true;
                        tokens.push(Token::Folders);
                        Token::Within
                    } else {
                        Token::All
                    }
                }
                '*' => Token::Some,
                '?' => Token::One,
                '[' => class(&mut chars).ok_or_else(fail)?,
                '\\' => Token::Literal(chars.next().ok_or_else(fail)?),
                c => Token::Literal(c),
            };
            tokens.push(token);
        }
        Ok(Self(tokens))
    }

    /// Whether it holds no sign that stands for others.
    pub(crate) fn is_literal(&self) -> bool {
        self.0.iter().all(|t| matches!(t, Token::Literal(_)))
    }

    /// The path that a literal pattern stands for.
    pub(crate) fn literal(&self) -> String {
        self.0.iter().filter_map(|t| if let Token::Literal(c) = t { Some(*c) } else { None }).collect()
    }

    /// Whether it fits the whole path.
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.run(path, false)
    }

    /// Whether it fits the path, or a folder that the path is in.
    pub(crate) fn matches_within(&self, path: &str) -> bool {
        self.run(path, true)
    }

    fn run(&self, path: &str, folders_count: bool) -> bool {
        let end = self.0.len();
        let mut states = vec![false; end + 1];
        reach(&self.0, &mut states, 0);
        for c in path.chars() {
            if folders_count && c == '/' && states.get(end) == Some(&true) {
                return true;
            }
            let mut next = vec![false; end + 1];
            for (place, token) in self.0.iter().enumerate().filter(|(place, _)| states.get(*place) == Some(&true)) {
                let (stays, goes) = match token {
                    Token::Literal(l) => (false, *l == c),
                    Token::One => (false, c != '/'),
                    Token::Some => (c != '/', false),
                    Token::All => (true, false),
                    Token::Folders => (false, false),
                    Token::Within => (true, c == '/'),
                    Token::Class { not, ranges } => {
                        (false, c != '/' && ranges.iter().any(|(a, b)| (*a..=*b).contains(&c)) != *not)
                    }
                };
                if stays {
                    reach(&self.0, &mut next, place);
                }
                if goes {
                    reach(&self.0, &mut next, place + 1);
                }
            }
            states = next;
        }
        states.get(end) == Some(&true)
    }
}

/// Enters a state, and those that need no character more.
fn reach(tokens: &[Token], states: &mut [bool], mut place: usize) {
    loop {
        match states.get_mut(place) {
            Some(state) if !*state => *state = true,
            _ => return,
        }
        match tokens.get(place) {
            Some(Token::Some | Token::All) => place += 1,
            Some(Token::Folders) => {
                // Into the folders, or past them.
                reach(tokens, states, place + 2);
                place += 1;
            }
            _ => return,
        }
    }
}

/// After a `[`.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let not = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        match chars.next()? {
            ']' if !ranges.is_empty() => return Some(Token::Class { not, ranges }),
            ']' | '-' => return None,
            c => {
                let first = if c == '\\' { chars.next()? } else { c };
                let last = match chars.next_if_eq(&'-') {
                    Some(_) => match chars.next()? {
                        '\\' => chars.next()?,
                        ']' => return None,
                        c => c,
                    },
                    None => first,
                };
                ranges.push((first, last));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn globs_stop_at_slashes() {
        for (pattern, path, fits) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "d/a.txt", false),
            ("**", "d/a", false),
            ("d/*", "d/a", true),
            ("?", "ä", true),
            ("?", "/", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("a*b*c", "axxbxxc", true),
            ("a*b*c", "axxbxx", false),
            ("", "", true),
        ] {
            assert_eq!(Pattern::glob(pattern).unwrap().matches(path), fits, "{pattern} {path}");
        }
        for bad in ["[", "[]", "[a", "[a-", "[a-]", "\\", "[-a]"] {
            assert!(Pattern::glob(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn two_stars_cross_slashes_where_files_are_ignored() {
        for (pattern, path, fits) in [
            ("**/x", "x", true),
            ("**/x", "a/b/x", true),
            ("**/x", "a/bx", false),
            ("a/**", "a/b/c", true),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "a/bz", false),
            ("**.go", "a/b.go", true),
            ("a", "a/b/c", true),
            ("a", "ab/c", false),
            ("*/b", "a/b/c", true),
        ] {
            assert_eq!(Pattern::ignore(pattern).unwrap().matches_within(path), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_ends_soon() {
        let pattern = Pattern::ignore(&"*a".repeat(300)).unwrap();
        assert!(!pattern.matches(&"a".repeat(299)));
    }

    proptest! {
        #[test]
        fn no_pattern_makes_it_panic(pattern in r"[a-c*?\[\]\\/^-]{0,30}", path in "[a-c/]{0,30}") {
            for pattern in [Pattern::glob(&pattern), Pattern::ignore(&pattern)].into_iter().flatten() {
                pattern.matches(&path);
                pattern.matches_within(&path);
            }
        }

        #[test]
        fn a_literal_fits_itself_only(path in "[a-z/]{1,20}", other in "[a-z/]{1,20}") {
            let pattern = Pattern::glob(&path).unwrap();
            prop_assert!(pattern.is_literal());
            prop_assert_eq!(pattern.literal(), path.clone());
            prop_assert_eq!(pattern.matches(&other), path == other);
        }
    }
}
