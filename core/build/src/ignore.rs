//! `.dockerignore`: what of the context is not there for `COPY` (Dockerfile reference, ".dockerignore file"). Patterns
//! are of the whole path, unlike git's; the last that fits decides; `!` takes back. Pure.

use crate::pattern::{Pattern, PatternError};

/// The file's rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ignore(Vec<(Pattern, bool)>);

impl Ignore {
    /// Reads the file. An error comes with its line.
    pub(crate) fn read(text: &str) -> Result<Self, (usize, PatternError)> {
        let mut rules = Vec::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (ignored, pattern) = match line.strip_prefix('!') {
                Some(rest) => (false, rest.trim()),
                None => (true, line),
            };
            let cleaned = clean(pattern);
            if !cleaned.is_empty() {
                rules.push((Pattern::ignore(&cleaned).map_err(|e| (index + 1, e))?, ignored));
            }
        }
        Ok(Self(rules))
    }

    /// Whether the path, relative to the context and without `.` parts, is not there.
    pub(crate) fn ignores(&self, path: &str) -> bool {
        self.0.iter().fold(false, |ignored, (pattern, rule)| {
            // A rule that would change nothing need not be asked.
            if *rule != ignored && pattern.matches_within(path) { *rule } else { ignored }
        })
    }
}

/// As Go's `filepath.Clean`, without a slash in front; what climbs out of the context fits nothing.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_fits_decides() {
        let file = "# note\n*.md\n!README.md\n/temp\n**/secret\ndocs/./x/../y\n!docs/y/keep\n";
        let ignore = Ignore::read(file).unwrap();
        for (path, ignored) in [
            ("a.md", true),
            ("sub/a.md", false),
            ("README.md", false),
            ("temp/deep/file", true),
            ("temporary", false),
            ("secret", true),
            ("a/b/secret/key", true),
            ("docs/y/z", true),
            ("docs/y/keep", false),
        ] {
            assert_eq!(ignore.ignores(path), ignored, "{path}");
        }
    }

    #[test]
    fn everything_but_a_few_is_a_common_form() {
        let ignore = Ignore::read("*\n!src\n").unwrap();
        assert!(ignore.ignores("a") && ignore.ignores("b/c"));
        assert!(!ignore.ignores("src") && !ignore.ignores("src/main.c"));
    }

    #[test]
    fn a_malformed_line_is_named() {
        assert_eq!(Ignore::read("a\n[\n").unwrap_err().0, 2);
    }
}
