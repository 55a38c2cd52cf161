//! Patterns with stars, as the site's file has them.

/// Whether `text` matches from its beginning to its end: `*` stands for any run of characters, slashes too; everything
/// else for itself.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, more)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = more.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        // The earliest place leaves the most to the parts that follow.
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

/// The first pattern that `text` matches.
pub fn first<'a>(patterns: impl IntoIterator<Item = &'a str>, text: &str) -> Option<&'a str> {
    patterns.into_iter().find(|pattern| matches(pattern, text))
}

/// Whether `name` (`registry/repository`) matches a pattern of `[[auth]]`: as above, and a registry alone (no slash, no
/// star) stands for all of its repositories.
pub fn covers(pattern: &str, name: &str) -> bool {
    if pattern.contains(['*', '/']) {
        return matches(pattern, name);
    }
    name.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::{covers, matches};

    #[test]
    fn a_star_stands_for_any_run() {
        for (pattern, text, wanted) in [
            ("*", "", true),
            ("*", "docker.io/library/alpine", true),
            ("docker.io/library/*", "docker.io/library/alpine", true),
            ("docker.io/library/*", "docker.io/other/alpine", false),
            ("r.example:5000/a", "r.example:5000/a", true),
            ("r.example:5000/a", "r.example:5000/a/b", false),
            ("*/a/*b", "r/a/ab", true),
            ("*/a/*b", "r/a/abc", false),
            ("a*a", "a", false),
            ("a**b", "axb", true),
            ("*:latest", "docker.io/library/alpine:latest", true),
        ] {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn a_registry_alone_covers_its_repositories() {
        assert!(covers("docker.io", "docker.io/library/alpine") && covers("docker.io", "docker.io"));
        assert!(!covers("docker.io", "docker.io.evil/alpine"));
        assert!(covers("*/app", "r.example/app") && !covers("*/app", "r.example/app/other"));
    }
}
