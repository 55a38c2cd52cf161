//! `$NAME`, `${NAME:-default}` and their like in a word, and the quotes around it taken away (Dockerfile reference,
//! "Environment replacement"). Pure; never panics, and never recurses deeper than [`DEPTH`].

use std::{iter::Peekable, str::Chars};

/// How deep `${a:-${b:-…}}` may go.
const DEPTH: usize = 32;

/// Why a word cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A quote or a brace that is not closed.
    #[error("{0} is not closed")]
    Open(&'static str),
    /// `${…}` that is not understood.
    #[error("${{{name}{modifier}…}}: the modifier is not supported")]
    Modifier {
        /// The variable.
        name: String,
        /// What follows it.
        modifier: String,
    },
    /// `${}`.
    #[error("a ${{…}} without a variable's name")]
    Nameless,
    /// `${NAME:?message}` of a variable that is not set.
    #[error("{name}: {message}")]
    Required {
        /// The variable.
        name: String,
        /// What the Dockerfile says about it.
        message: String,
    },
    /// Too many levels.
    #[error("variables are nested more than {DEPTH} deep")]
    Deep,
}

/// What a variable holds; none where it is not set.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The word without quotes, its variables replaced. What is not set is empty.
pub(crate) fn expand(word: &str, escape: char, lookup: Lookup<'_>) -> Result<String, ExpandError> {
    Reader { chars: word.chars().peekable(), escape, lookup }.until(None, DEPTH)
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    escape: char,
    lookup: Lookup<'a>,
}

impl Reader<'_> {
    /// Up to `stop`, or to the end where there is none.
    fn until(&mut self, stop: Option<char>, depth: usize) -> Result<String, ExpandError> {
        let mut out = String::new();
        while let Some(c) = self.chars.next() {
            match c {
                c if Some(c) == stop => return Ok(out),
                '\'' => self.single(&mut out)?,
                '"' => self.double(&mut out, depth)?,
                '$' => out.push_str(&self.variable(depth)?),
                c if c == self.escape => out.extend(self.chars.next()),
                c => out.push(c),
            }
        }
        if stop.is_some() { Err(ExpandError::Open("a ${")) } else { Ok(out) }
    }

    fn single(&mut self, out: &mut String) -> Result<(), ExpandError> {
        loop {
            match self.chars.next().ok_or(ExpandError::Open("a single quote"))? {
                '\'' => return Ok(()),
                c => out.push(c),
            }
        }
    }

    fn double(&mut self, out: &mut String, depth: usize) -> Result<(), ExpandError> {
        loop {
            match self.chars.next().ok_or(ExpandError::Open("a double quote"))? {
                '"' => return Ok(()),
                '$' => out.push_str(&self.variable(depth)?),
                c if c == self.escape => match self.chars.next() {
                    Some(n) if n == '"' || n == '$' || n == self.escape => out.push(n),
                    // Before anything else the escape stands for itself.
                    Some(n) => out.extend([c, n]),
                    None => return Err(ExpandError::Open("a double quote")),
                },
                c => out.push(c),
            }
        }
    }

    /// After a `$`.
    fn variable(&mut self, depth: usize) -> Result<String, ExpandError> {
        let depth = depth.checked_sub(1).ok_or(ExpandError::Deep)?;
        if self.chars.next_if_eq(&'{').is_none() {
            let name = self.name();
            // A dollar that begins no name is a dollar.
            return Ok(if name.is_empty() { "$".to_owned() } else { (self.lookup)(&name).unwrap_or_default() });
        }
        let name = self.name();
        if name.is_empty() {
            return Err(ExpandError::Nameless);
        }
        let colon = self.chars.next_if_eq(&':').is_some();
        let value = (self.lookup)(&name).filter(|v| !(colon && v.is_empty()));
        match self.chars.next() {
            Some('}') if !colon => Ok(value.unwrap_or_default()),
            Some('-') => Ok(value.unwrap_or(self.until(Some('}'), depth)?)),
            Some('+') => {
                let instead = self.until(Some('}'), depth)?;
                Ok(value.map(|_| instead).unwrap_or_default())
            }
            Some('?') => {
                let message = self.until(Some('}'), depth)?;
                let message = if message.is_empty() { "is not set".to_owned() } else { message };
                value.ok_or(ExpandError::Required { name, message })
            }
            Some(c) => {
                let modifier = if colon { format!(":{c}") } else { c.to_string() };
                Err(ExpandError::Modifier { name, modifier })
            }
            None => Err(ExpandError::Open("a ${")),
        }
    }

    /// Letters, digits and `_`; or one digit.
    fn name(&mut self) -> String {
        let mut name = String::new();
        if let Some(digit) = self.chars.next_if(char::is_ascii_digit) {
            name.push(digit);
            return name;
        }
        while let Some(c) = self.chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "a" => Some("A".into()),
            "dir" => Some("/srv".into()),
            "empty" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_and_quotes_are_read_as_the_reference_says() {
        for (word, expected) in [
            ("plain", "plain"),
            ("$a", "A"),
            ("${a}x$dir/y", "Ax/srv/y"),
            ("$none", ""),
            ("${none:-d}", "d"),
            ("${none-d}", "d"),
            ("${empty:-d}", "d"),
            ("${empty-d}", ""),
            ("${a:-d}", "A"),
            ("${a:+set}", "set"),
            ("${none:+set}", ""),
            ("${empty+set}", "set"),
            ("${none:-${other:-$a}}", "A"),
            ("${none:-'}'}", "}"),
            ("${a:?wanted}", "A"),
            (r"\$a", "$a"),
            ("'$a'", "$a"),
            (r#""$a b""#, "A b"),
            (r#""\$a \" \x""#, r#"$a " \x"#),
            (r"a\ b", "a b"),
            ("5$", "5$"),
            ("$1", ""),
            ("$-", "$-"),
        ] {
            assert_eq!(expand(word, '\\', &lookup).as_deref(), Ok(expected), "{word}");
        }
        assert_eq!(expand("`$a$dir", '`', &lookup).as_deref(), Ok("$a/srv"));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (word, why) in [
            ("'a", "a single quote is not closed"),
            ("\"a", "a double quote is not closed"),
            ("${a", "a ${ is not closed"),
            ("${a:-x", "a ${ is not closed"),
            ("${}", "without a variable's name"),
            ("${a#x}", "${a#…}"),
            ("${a:x}", "${a:x…}"),
            ("${none:?say which}", "none: say which"),
            ("${none?}", "none: is not set"),
            (&"${x:-".repeat(100), "32 deep"),
        ] {
            let error = expand(word, '\\', &lookup).unwrap_err().to_string();
            assert!(error.contains(why), "{word}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_word_makes_it_panic(word in ".*", escape in prop::sample::select(vec!['\\', '`'])) {
            let _ = expand(&word, escape, &lookup);
        }

        #[test]
        fn no_soup_of_signs_makes_it_panic(word in r#"[${}:\-+?'"\\a-c ]{0,60}"#) {
            let _ = expand(&word, '\\', &lookup);
        }

        #[test]
        fn what_is_quoted_comes_back_as_it_was(text in ".*") {
            let mut quoted = String::from("\"");
            for c in text.chars() {
                if matches!(c, '"' | '\\' | '$') {
                    quoted.push('\\');
                }
                quoted.push(c);
            }
            quoted.push('"');
            prop_assert_eq!(super::super::words::quoted(&quoted, '\\'), vec![quoted.clone()]);
            prop_assert_eq!(expand(&quoted, '\\', &lookup), Ok(text));
        }
    }
}
