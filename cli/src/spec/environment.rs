//! `-e`, `--env-file`, and labels, which are read the same way.

use crate::error::{Error, Result};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// Variables in the order in which they win: files first, flags after them. A name alone takes the caller's value.
pub(crate) fn environment(flags: &[String], files: &[PathBuf]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for file in files {
        for line in lines(file)? {
            let name = line.split('=').next().unwrap_or("");
            if name.is_empty() || name.contains(char::is_whitespace) {
                return Err(Error::flag(format!("{}: {line:?} names no variable", file.display())));
            }
            all.extend(with_value(&line));
        }
    }
    for flag in flags {
        if flag.is_empty() || flag.starts_with('=') {
            return Err(Error::flag(format!("invalid environment variable: {flag:?}: it has no name")));
        }
        all.extend(with_value(flag));
    }
    Ok(all)
}

fn with_value(text: &str) -> Option<String> {
    if text.contains('=') {
        return Some(text.to_owned());
    }
    Some(format!("{text}={}", std::env::var(text).ok()?))
}

/// `key=value` pairs of files and flags; a key alone has an empty value, and the last of a key wins.
pub(super) fn labels(flags: &[String], files: &[PathBuf]) -> Result<HashMap<String, String>> {
    let mut all = Vec::new();
    for file in files {
        all.extend(lines(file)?);
    }
    all.extend(flags.iter().cloned());
    let one = |label: &String| match pair(label) {
        (key, _) if key.is_empty() => Err(Error::flag(format!("invalid label: {label:?}: it has no name"))),
        pair => Ok(pair),
    };
    all.iter().map(one).collect()
}

/// `key=value`; a key alone has an empty value.
pub(super) fn pair(text: &str) -> (String, String) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    (key.to_owned(), value.to_owned())
}

fn lines(file: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file).map_err(|e| Error::flag(format!("read {}: {e}", file.display())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.lines().map(str::trim_start).filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn flags_come_after_files_and_names_alone_take_our_value() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# comment\n\n  A=1\nPATH\nNOT_SET_ANYWHERE_123\nB=two words").unwrap();
        let all = environment(&["A=2".to_owned()], &[file.path().to_owned()]).unwrap();
        let path = format!("PATH={}", std::env::var("PATH").unwrap());
        assert_eq!(all, ["A=1", path.as_str(), "B=two words", "A=2"]);
    }

    #[test]
    fn a_label_without_a_name_is_refused() {
        for flag in ["", "=x"] {
            assert!(labels(&[flag.to_owned()], &[]).is_err(), "{flag:?}");
        }
        assert_eq!(labels(&["a=1".to_owned(), "a".to_owned()], &[]).unwrap()["a"], "");
    }

    #[test]
    fn a_variable_without_a_name_is_refused() {
        assert!(environment(&["=x".to_owned()], &[]).is_err());
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "a b=1").unwrap();
        let error = environment(&[], &[file.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("names no variable"), "{error}");
    }
}
