//! `plugin.toml`: what a plugin is, what it needs and why, and how much of everything it asks for. It is a custom
//! section of the component, hence inside its digest. Unknown keys are errors: a policy that is not enforced must not
//! be accepted. What it says is shown to an operator who decides by it: no text of it can draw over what else is shown.

use crate::{ask::Ask, limits::Wanted, section, words};
use davit_model::plain;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A manifest, read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `[plugin]`
    pub plugin: Identity,
    /// `[needs]`
    #[serde(default)]
    pub needs: Ask,
    /// `[why]`: for each need, a sentence for the operator who is to grant it.
    #[serde(default)]
    pub why: BTreeMap<String, String>,
    /// `[limits]`
    #[serde(default)]
    pub limits: Wanted,
}

/// `[plugin]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// `[a-z][a-z0-9-]*`, at most 64 bytes.
    pub name: String,
    /// The plugin's version.
    pub version: String,
}

impl Manifest {
    /// The component with this `plugin.toml` in it; another that it had is gone.
    ///
    /// # Errors
    /// What is wrong with the manifest, or why the bytes are no component.
    pub fn embed(component: &[u8], manifest: &[u8]) -> Result<Vec<u8>, String> {
        Self::parse(manifest)?;
        section::with_custom(component, section::MANIFEST, manifest)
    }

    /// `name@version`, as errors name it.
    pub(crate) fn label(&self) -> String {
        format!("{}@{}", self.plugin.name, self.plugin.version)
    }

    /// Reads the section's bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the manifest is not UTF-8".to_owned())?;
        // The parser's error quotes the text.
        let unread = |e: toml::de::Error| format!("the manifest: {}", plain::lines(e.to_string().trim()));
        let mut manifest: Self = toml::from_str(text).map_err(unread)?;
        let Identity { name, version } = &manifest.plugin;
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.bytes().all(letter) || name.len() > 64 {
            return Err(format!("the manifest: {name:?} is not a plugin's name ([a-z][a-z0-9-]*)"));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+');
        if version.is_empty() || version.len() > 64 || !version.bytes().all(plain) {
            return Err(format!("the manifest: {version:?} is not a version"));
        }
        manifest.needs =
            manifest.needs.into_needs().map_err(|e| format!("the manifest: [needs] {}", plain::lines(&e)))?;
        manifest.check_texts().map_err(|e| format!("the manifest: {e}"))?;
        Ok(manifest)
    }

    /// All that an operator is shown of it can be shown, and is about what is asked for.
    fn check_texts(&self) -> Result<(), String> {
        let rights = self.needs.in_words();
        for right in &rights {
            plain::check(right).map_err(|e| format!("[needs] {:?} {e}", plain::lines(right)))?;
        }
        for (need, why) in &self.why {
            if !rights.iter().any(|right| words::is_why_of(need, right)) {
                return Err(format!(
                    "[why] has a sentence for {:?}, which [needs] does not ask for",
                    plain::lines(need)
                ));
            }
            plain::check(why).map_err(|e| format!("[why] the sentence for {need} {e}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_errors() {
        let good = "[plugin]\nname = \"a\"\nversion = \"1\"\n[needs]\nstate = true\n[limits]\nmemory = \"8MiB\"\n";
        assert!(Manifest::parse(good.as_bytes()).is_ok());
        for (from, to) in [("state", "sate"), ("memory", "mem"), ("version", "ver"), ("\"a\"", "\"A\""), ("8MiB", "8")]
        {
            assert!(Manifest::parse(good.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }

    /// With a need, and a sentence for it.
    fn with_why(key: &str, why: &str) -> Result<Manifest, String> {
        let table = "[plugin]\nname = \"a\"\nversion = \"1\"\n[needs]\nstate = true\nhttp = [\"https://a.example\"]";
        Manifest::parse(format!("{table}\n[why]\n{key} = {why}\n").as_bytes())
    }

    #[test]
    fn a_sentence_cannot_draw_over_the_question_it_belongs_to() {
        assert!(with_why("state", "\"tokens are kept\"").is_ok());
        for hidden in [r"\u001b[2K\u001b[1A", r"\n", r"\u202e", r"\u200b", r"\ufeff", r"\u0085", "\u{202e}", "\u{2066}"]
        {
            let error = with_why("state", &format!("\"x{hidden}It asks for nothing\"")).unwrap_err();
            assert!(error.contains("[why] the sentence for state holds the character U+"), "{error}");
            assert!(!error.chars().any(plain::is_hidden), "{error:?}");
        }
        let long = with_why("state", &format!("\"{}\"", "x".repeat(301))).unwrap_err();
        assert!(long.contains("301 characters"), "{long}");
    }

    #[test]
    fn a_sentence_is_about_something_that_is_asked_for() {
        assert!(with_why("http", "\"tokens\"").is_ok());
        for other in ["secrets", "nothing", "\"state \"", r#""\u001b[2K""#] {
            let error = with_why(other, "\"x\"").unwrap_err();
            assert!(error.contains("which [needs] does not ask for") && !error.contains('\u{1b}'), "{error:?}");
        }
    }

    #[test]
    fn names_versions_and_needs_cannot_drive_a_terminal_and_errors_about_them_do_not() {
        let good = "[plugin]\nname = \"a\"\nversion = \"1\"\n[needs]\ninterfaces = [\"eth0\"]\nsecrets = [\"key\"]\n";
        assert!(Manifest::parse(good.as_bytes()).is_ok());
        for from in ["\"a\"", "\"1\"", "\"eth0\"", "\"key\"", "[needs]"] {
            for hidden in [r"\u001b[1A", r"\u202e", "\u{202e}"] {
                let to = match from {
                    "[needs]" => format!("\"x{hidden}\" = 1\n[needs]"),
                    _ => format!("\"x{hidden}\""),
                };
                let error = Manifest::parse(good.replace(from, &to).as_bytes()).unwrap_err();
                assert!(!error.chars().any(|c| c != '\n' && plain::is_hidden(c)), "{error:?}");
            }
        }
    }
}
