//! Texts of others that people read, and decide by: what could draw over the words around them, or turn their order, is
//! no text. A plugin says why it asks for something.

/// The longest sentence that stands beside our own words, in characters.
const LONGEST: usize = 300;

/// Whether a character does something else than being seen: controls, and what Unicode has to join, to hide and to turn
/// the direction of others.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Holds that a text may be shown as it is.
///
/// # Errors
/// Why it may not, in words that follow what it is.
pub fn check(text: &str) -> Result<(), String> {
    if let Some(hidden) = text.chars().find(|c| is_hidden(*c)) {
        let code = u32::from(hidden);
        return Err(format!("holds the character U+{code:04X}, which is not seen and changes what is"));
    }
    let length = text.chars().count();
    if length > LONGEST {
        return Err(format!("has {length} characters, and an operator is shown {LONGEST} at most"));
    }
    Ok(())
}

/// Whole lines, as long as they are, with a space for each hidden character; line breaks and tabs stay.
pub fn lines(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) && !matches!(c, '\n' | '\t') { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_no_text() {
        for hidden in ["a\u{1b}[2K", "a\nb", "a\u{202e}b", "\u{2066}", "\u{200b}", "\u{feff}", "\u{9b}1A", "\u{e0041}"]
        {
            assert!(check(hidden).is_err(), "{hidden:?}");
            assert!(lines(hidden).chars().all(|c| c == '\n' || !is_hidden(c)), "{hidden:?}");
        }
        for seen in ["", "token of the site, kept for 5 minutes", "żółw", "日本語", "שלום"] {
            assert!(check(seen).is_ok(), "{seen:?}");
        }
    }

    #[test]
    fn a_sentence_has_an_end() {
        assert!(check(&"é".repeat(LONGEST)).is_ok());
        assert!(check(&"é".repeat(LONGEST + 1)).unwrap_err().contains("301 characters"));
    }
}
