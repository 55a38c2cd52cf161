//! The table of plugins as the README has it: written by the bench, between two marks, so that nobody copies figures.

use anyhow::{Context as _, Result};
use std::{fmt::Write as _, fs, path::Path};

const BEGIN: &str = "<!-- cargo xtask bench plugins --readme: begin -->\n";
const END: &str = "<!-- end -->\n";

/// A figure and the most that it should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figure {
    pub(super) is: f64,
    pub(super) goal: Option<f64>,
}

/// A language's line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) language: &'static str,
    pub(super) bytes: u64,
    /// Microseconds.
    pub(super) call: Figure,
    /// Microseconds.
    pub(super) apart: Figure,
    /// Milliseconds.
    pub(super) load: Figure,
    /// Seconds.
    pub(super) compile: Figure,
    /// MiB.
    pub(super) memory: Figure,
}

/// What the table stands beside.
#[derive(Debug)]
pub(super) struct Beside {
    /// Microseconds.
    pub(super) native: f64,
    pub(super) http: f64,
    pub(super) cni: Option<f64>,
    /// All that one run spends in plugins.
    pub(super) run: f64,
}

fn shown(figure: Figure, digits: usize) -> String {
    let Figure { is, goal } = figure;
    match goal {
        Some(goal) if is > goal => format!("**{is:.digits$}** (goal {goal})"),
        Some(goal) => format!("{is:.digits$} ({goal})"),
        None => format!("{is:.digits$}"),
    }
}

/// In Markdown.
pub(super) fn written(lines: &[Line], beside: &Beside) -> Result<String> {
    let mut text = String::from(
        "| | component | a call, µs | over the socket, µs | load, ms | compile once, s | memory, MiB |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        let size = if line.bytes < 1 << 20 {
            format!("{} KiB", line.bytes >> 10)
        } else {
            format!("{} MiB", line.bytes >> 20)
        };
        writeln!(
            text,
            "| {} | {size} | {} | {} | {} | {} | {} |",
            line.language,
            shown(line.call, 0),
            shown(line.apart, 0),
            shown(line.load, 1),
            shown(line.compile, 2),
            shown(line.memory, 1)
        )?;
    }
    let Beside { native, http, cni, run } = beside;
    write!(
        text,
        "\nThe same decision as a function of the program takes {:.0} ns, as a service over HTTP on a unix socket\n\
         {http:.0} µs",
        native * 1e3
    )?;
    if let Some(cni) = cni {
        write!(text, ", and a CNI plugin (`host-local`), a program that is started for it, {:.1} ms", cni / 1e3)?;
    }
    writeln!(text, ".\nAll that `davit run` spends in plugins with the shipped site's file: {run:.0} µs.")?;
    Ok(text)
}

/// Puts it between the marks.
pub(super) fn put(path: &Path, table: &str) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let marks = || format!("{} has no place for the table: {BEGIN}{END}", path.display());
    let (before, rest) = text.split_once(BEGIN).with_context(marks)?;
    let (_, after) = rest.split_once(END).with_context(marks)?;
    let text = format!("{before}{BEGIN}{table}{END}{after}");
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_takes_its_place_and_nothing_elses() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("README.md");
        fs::write(&file, format!("before\n{BEGIN}old\n{END}after\n")).unwrap();
        let figure = |is, goal| Figure { is, goal };
        let line = Line {
            language: "Rust",
            bytes: 81_964,
            call: figure(29.6, Some(50.0)),
            apart: figure(151.0, Some(150.0)),
            load: figure(0.3, Some(5.0)),
            compile: figure(0.04, Some(2.0)),
            memory: figure(0.31, None),
        };
        let beside = Beside { native: 0.02, http: 31.4, cni: None, run: 640.0 };
        put(&file, &written(&[line], &beside).unwrap()).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("before\n") && text.ends_with("after\n") && !text.contains("old"), "{text}");
        assert!(text.contains("| Rust | 80 KiB | 30 (50) | **151** (goal 150) | 0.3 (5) | 0.04 (2) | 0.3 |"), "{text}");
        fs::write(&file, "no marks").unwrap();
        assert!(put(&file, "x").is_err());
    }
}
