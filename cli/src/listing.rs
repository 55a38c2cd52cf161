//! Lists: as a table, as identifiers alone, as JSON lines, or by a template.

use crate::{error::Result, plain, printer::Printer, template::Template};
use serde_json::{Map, Value};

/// Narrowest column, and the space between two, as Docker's tables have them.
const MIN: usize = 10;
const GAP: usize = 3;

/// A column: its name in templates and its head in tables.
pub(crate) type Column = (&'static str, &'static str);

/// A list: which columns a table shows, what heads there are, and the rows, each an object of texts.
pub(crate) struct Listing<'a> {
    /// The table's columns, by their names in templates.
    pub(crate) table: &'a [&'a str],
    /// All columns.
    pub(crate) columns: &'a [Column],
    /// The column that `-q` shows.
    pub(crate) id: &'a str,
    pub(crate) rows: Vec<Map<String, Value>>,
}

impl Listing<'_> {
    /// Prints the list in the way that was asked for.
    pub(crate) fn print(self, out: &Printer, format: Option<&str>, quiet: bool) -> Result<()> {
        let mut text = String::new();
        match format {
            _ if quiet => {
                for row in &self.rows {
                    text.push_str(row.get(self.id).and_then(Value::as_str).unwrap_or(""));
                    text.push('\n');
                }
            }
            None | Some("table") => {
                let cells = |name: &&str, row: &Map<String, Value>| one_line(row.get(*name));
                let head = self.table.iter().map(|name| self.head(name).to_owned()).collect();
                let rows = self.rows.iter().map(|row| self.table.iter().map(|name| cells(name, row)).collect());
                text = table(std::iter::once(head).chain(rows).collect());
            }
            Some("json") => {
                for row in self.rows {
                    text.push_str(&Value::Object(row).to_string());
                    text.push('\n');
                }
            }
            Some(format) => text = self.by_template(format)?,
        }
        out.raw(&text)
    }

    fn by_template(self, format: &str) -> Result<String> {
        let (is_table, format) = match format.strip_prefix("table ") {
            Some(rest) => (true, rest),
            None => (false, format),
        };
        let template = Template::parse(format)?;
        let mut lines = Vec::new();
        if is_table {
            let heads = self.columns.iter().map(|(name, head)| ((*name).to_owned(), Value::from(*head))).collect();
            lines.push(template.render(&Value::Object(heads))?);
        }
        for row in self.rows {
            lines.push(template.render(&Value::Object(row))?);
        }
        if is_table {
            return Ok(table(lines.iter().map(|line| line.split('\t').map(str::to_owned).collect()).collect()));
        }
        Ok(lines.into_iter().map(|line| line + "\n").collect())
    }

    fn head(&self, name: &str) -> &str {
        self.columns.iter().find(|(column, _)| *column == name).map_or("", |(_, head)| head)
    }
}

fn one_line(value: Option<&Value>) -> String {
    let text = value.and_then(Value::as_str).unwrap_or("");
    // Whoever names a container must not write to our terminal.
    text.chars().map(|c| if plain::is_hidden(c) { ' ' } else { c }).collect()
}

/// Lines of cells as columns; the last cell of a line ends it.
pub(crate) fn table(lines: Vec<Vec<String>>) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in &lines {
        for (i, cell) in line.iter().enumerate().take(line.len().saturating_sub(1)) {
            let width = cell.chars().count() + GAP;
            match widths.get_mut(i) {
                Some(known) => *known = (*known).max(width),
                None => widths.push(width.max(MIN)),
            }
        }
    }
    let mut text = String::new();
    for line in lines {
        let last = line.len().saturating_sub(1);
        for (i, cell) in line.into_iter().enumerate() {
            let width = if i == last { 0 } else { widths.get(i).copied().unwrap_or(0) };
            text.push_str(&format!("{cell:<width$}"));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_at_least_ten_wide_with_three_between() {
        let lines = [["IMAGE", "COMMAND", "NAMES"], ["busybox:latest", "sh", "web"]];
        let lines = lines.iter().map(|l| l.iter().map(|c| (*c).to_owned()).collect()).collect();
        assert_eq!(table(lines), "IMAGE            COMMAND   NAMES\nbusybox:latest   sh        web\n");
    }
}
