//! From the text of a Dockerfile to its logical lines: parser directives, comments, continuation lines. Pure.

use super::error::SyntaxError;

/// A logical line: continuation lines joined, comments gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where it begins, counted from 1.
    pub(crate) number: usize,
    /// Without white space around it; never empty.
    pub(crate) text: String,
}

/// The lines, and the character that escapes (`\` where no directive says otherwise). An error comes with its line.
pub(crate) fn logical(text: &str) -> Result<(char, Vec<Line>), (usize, SyntaxError)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (escape, directives) = escape(text)?;
    let mut lines = Vec::new();
    let mut open: Option<Line> = None;
    for (index, raw) in text.lines().enumerate().skip(directives) {
        let trimmed = raw.trim();
        // Comments and empty lines within a continued line are passed over: that is how Dockerfiles are written.
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (piece, goes_on) = match continued(raw.trim_end(), escape) {
            Some(piece) => (piece, true),
            None => (raw.trim_end(), false),
        };
        let line = open.get_or_insert_with(|| Line { number: index + 1, text: String::new() });
        line.text.push_str(if line.text.is_empty() { piece.trim_start() } else { piece });
        if !goes_on {
            lines.extend(open.take());
        }
    }
    // The last line may end with an escape: nothing follows, so it ends there.
    lines.extend(open);
    for line in &mut lines {
        line.text.truncate(line.text.trim_end().len());
    }
    lines.retain(|l| !l.text.is_empty());
    Ok((escape, lines))
}

/// The line without its escape at the end; none where it does not go on. Two escapes are an escaped escape.
fn continued(line: &str, escape: char) -> Option<&str> {
    let piece = line.strip_suffix(escape)?;
    (!piece.ends_with(escape)).then_some(piece)
}

/// Reads the directives, which stand before everything else. Answers with the number of their lines.
fn escape(text: &str) -> Result<(char, usize), (usize, SyntaxError)> {
    let mut found: Vec<String> = Vec::new();
    let mut escape = '\\';
    for (index, line) in text.lines().enumerate() {
        let directive = line.trim().strip_prefix('#').and_then(|l| l.split_once('='));
        let Some((key, value)) = directive.map(|(k, v)| (k.trim().to_ascii_lowercase(), v.trim())) else { break };
        // Anything else of this form is a comment, and ends the directives.
        if !matches!(key.as_str(), "escape" | "syntax" | "check") {
            break;
        }
        if found.contains(&key) {
            return Err((index + 1, SyntaxError::DirectiveTwice(key)));
        }
        if key == "escape" {
            escape = match value {
                "\\" => '\\',
                "`" => '`',
                other => return Err((index + 1, SyntaxError::Escape(super::error::shown(other)))),
            };
        }
        found.push(key);
    }
    Ok((escape, found.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(usize, String)> {
        logical(text).unwrap().1.into_iter().map(|l| (l.number, l.text)).collect()
    }

    #[test]
    fn lines_are_joined_and_numbered_by_their_beginning() {
        for (text, expected) in [
            ("FROM a\nENV b=c", vec![(1, "FROM a"), (2, "ENV b=c")]),
            ("FROM a\r\nENV b=c\r\n", vec![(1, "FROM a"), (2, "ENV b=c")]),
            ("\u{feff}FROM a", vec![(1, "FROM a")]),
            ("# note\n\nFROM a # not a comment", vec![(3, "FROM a # not a comment")]),
            ("ENV a=1 \\\n  b=2 \\ \n  c=3\nCMD x", vec![(1, "ENV a=1   b=2   c=3"), (4, "CMD x")]),
            ("ENV a=1 \\\n# between\n\n  b=2\nCMD x", vec![(1, "ENV a=1   b=2"), (5, "CMD x")]),
            ("ENV a=b\\\\\nCMD x", vec![(1, "ENV a=b\\\\"), (2, "CMD x")]),
            ("CMD x \\", vec![(1, "CMD x")]),
            ("\\\n\\\n", vec![]),
        ] {
            let expected: Vec<(usize, String)> = expected.into_iter().map(|(n, t)| (n, t.to_owned())).collect();
            assert_eq!(lines(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_escape_directive_changes_what_continues_a_line() {
        assert_eq!(logical("# escape=`\nENV a=c:\\\nCMD `\n x").unwrap().1.len(), 2);
        assert_eq!(lines("# Escape = `\nCOPY a `\nb"), [(2, "COPY a b".to_owned())]);
        // After a comment it is a comment.
        assert_eq!(logical("# note\n# escape=`\nFROM a").unwrap().0, '\\');
        assert_eq!(logical("# escape=x\nFROM a").unwrap_err().0, 1);
        assert_eq!(logical("# syntax=a\n# escape=`\n# escape=`\n").unwrap_err().0, 3);
    }
}
