//! Where in the site's file a thing is said, so that an error about it leads there.

use std::{collections::BTreeMap, ops::Range, path::Path};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The lines of a file's keys and items, by their path: `lifecycle/1/plugin`.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    file: String,
    /// Where each line ends.
    ends: Vec<usize>,
    said: BTreeMap<String, usize>,
}

impl Lines {
    /// Those of a text; none where it is no TOML.
    pub(super) fn of(file: &Path, text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at).collect();
        let mut lines = Self { file: file.display().to_string(), ends, said: BTreeMap::new() };
        if let Ok(table) = DeTable::parse(text) {
            lines.add_table("", table.get_ref());
        }
        lines
    }

    /// `FILE:LINE` of what is said there, or else of what it would be in.
    pub(super) fn at(&self, what: &str) -> String {
        let mut what = what;
        loop {
            match (self.said.get(what), what.rsplit_once('/')) {
                (Some(line), _) => return format!("{}:{line}", self.file),
                (None, Some((outer, _))) => what = outer,
                (None, None) => return format!("{}:1", self.file),
            }
        }
    }

    /// Whether that is said.
    pub(super) fn has(&self, what: &str) -> bool {
        self.said.contains_key(what)
    }

    /// `FILE:LINE` of a part of the text; the first line where nobody knows which.
    pub(super) fn at_span(&self, span: Option<Range<usize>>) -> String {
        format!("{}:{}", self.file, self.line(span.map_or(0, |span| span.start)))
    }

    fn line(&self, offset: usize) -> usize {
        self.ends.partition_point(|end| *end < offset) + 1
    }

    fn add_table(&mut self, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let inner = if path.is_empty() { key.get_ref().to_string() } else { format!("{path}/{}", key.get_ref()) };
            self.said.insert(inner.clone(), self.line(key.span().start));
            self.add(&inner, value);
        }
    }

    fn add(&mut self, path: &str, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.add_table(path, table),
            DeValue::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    let inner = format!("{path}/{at}");
                    self.said.insert(inner.clone(), self.line(item.span().start));
                    self.add(&inner, item);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_has_its_line_and_what_is_not_that_of_the_part_it_would_be_in() {
        let text =
            "a = 1\n[b.c.config]\nk = \"v\"\n\n[b.c]\nd = 2\n[[e]]\nf = [\n  \"g\",\n  \"h\",\n]\n[[e]]\nf = []\n";
        let lines = Lines::of(Path::new("/x"), text);
        for (what, line) in [
            ("a", 1),
            ("b/c", 5),
            ("b/c/config/k", 3),
            ("b/c/config/none", 2),
            ("b/c/d", 6),
            ("e/0", 7),
            ("e/0/f/0", 9),
            ("e/0/f/1", 10),
            ("e/1", 12),
            ("e/1/missing", 12),
            ("nothing", 1),
        ] {
            assert_eq!(lines.at(what), format!("/x:{line}"), "{what}");
        }
        assert!(lines.has("b/c") && !lines.has("b/d"));
    }
}
