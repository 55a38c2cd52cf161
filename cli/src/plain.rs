//! Texts of a daemon's that people read, and decide by: it may be an older one, or somebody else's, so what could draw over
//! the words around them, or turn their order, is taken out here, whatever was taken out there.

/// The longest sentence that stands beside our own words, in characters.
const LONGEST: usize = 300;

/// Whether a character does something else than being seen: controls, and what Unicode has to join, to hide and to turn
/// the direction of others.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text for one place of one line, as much of it as may be shown.
pub(crate) fn line(text: &str) -> String {
    let mut kept: String = text.chars().take(LONGEST).map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        kept.push('…');
    }
    kept.trim().to_owned()
}

/// Whole lines, as long as they are, with a space for each hidden character; line breaks and tabs stay.
pub(crate) fn lines(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) && !matches!(c, '\n' | '\t') { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_taken_out() {
        for hidden in ["a\u{1b}[2K", "a\nb", "a\u{202e}b", "\u{2066}", "\u{200b}", "\u{feff}", "\u{9b}1A", "\u{e0041}"]
        {
            assert!(lines(hidden).chars().all(|c| c == '\n' || !is_hidden(c)), "{hidden:?}");
            assert!(!line(hidden).chars().any(is_hidden), "{hidden:?}");
        }
        assert_eq!(line("token of the site, żółw, 日本語, שלום"), "token of the site, żółw, 日本語, שלום");
    }

    #[test]
    fn a_sentence_has_an_end() {
        assert_eq!(line(&"é".repeat(10_000)).chars().count(), LONGEST + 1);
    }
}
