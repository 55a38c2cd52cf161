//! What a bench says: a row for each peer, on the terminal and as JSON. Every bench keeps this form.

use anyhow::{Context as _, Result};
use serde::Serialize;
use std::{fs, path::Path, time::Duration};

/// One comparison.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    /// What was measured.
    pub(super) name: String,
    /// Our median, in milliseconds.
    pub(super) ours_ms: f64,
    /// The peer, with its version.
    pub(super) peer: String,
    /// Its median, in milliseconds.
    pub(super) peer_ms: f64,
    /// Ours by theirs.
    pub(super) ratio: f64,
    /// The most that the ratio should be; none where there is no goal.
    pub(super) goal: Option<f64>,
    /// Whether it is; none where there is no goal.
    pub(super) met: Option<bool>,
}

impl Row {
    pub(super) fn new(name: &str, ours: &[Duration], peer: &str, theirs: &[Duration], goal: Option<f64>) -> Self {
        let (ours_ms, peer_ms) = (shortened(median(ours)), shortened(median(theirs)));
        let ratio = rounded(median(ours) / median(theirs), 1000.0);
        let met = goal.map(|goal| ratio <= goal);
        Self { name: name.to_owned(), ours_ms, peer: peer.to_owned(), peer_ms, ratio, goal, met }
    }
}

/// In milliseconds.
pub(super) fn median(of: &[Duration]) -> f64 {
    let mut sorted: Vec<f64> = of.iter().map(|d| d.as_secs_f64() * 1e3).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), middle.checked_sub(1).and_then(|i| sorted.get(i))) {
        (Some(upper), Some(lower)) if sorted.len().is_multiple_of(2) => f64::midpoint(*lower, *upper),
        (Some(only), _) => *only,
        (None, _) => f64::NAN,
    }
}

/// To a tenth of a millisecond; below one, to a tenth of a microsecond.
fn shortened(ms: f64) -> f64 {
    rounded(ms, if ms < 1.0 { 10_000.0 } else { 10.0 })
}

fn rounded(value: f64, by: f64) -> f64 {
    (value * by).round() / by
}

/// For people.
pub(super) fn print(rows: &[Row]) {
    let shown = |ms: f64| if ms < 1.0 { format!("{ms:.4}") } else { format!("{ms:.1}") };
    println!("{:<24} {:>9}   {:<24} {:>9} {:>7} {:>7}", "median", "davit ms", "peer", "ms", "ratio", "goal");
    for row in rows {
        let goal = match (row.goal, row.met) {
            (Some(goal), Some(true)) => format!("{goal:>7} met"),
            (Some(goal), _) => format!("{goal:>7} NOT met"),
            (None, _) => format!("{:>7}", "-"),
        };
        println!(
            "{:<24} {:>9}   {:<24} {:>9} {:>7.3} {goal}",
            row.name,
            shown(row.ours_ms),
            row.peer,
            shown(row.peer_ms),
            row.ratio
        );
    }
}

/// For programs.
pub(super) fn write(rows: &[Row], path: &Path) -> Result<()> {
    let mut text = serde_json::to_string_pretty(rows)?;
    text.push('\n');
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(of: &[u64]) -> Vec<Duration> {
        of.iter().map(|ms| Duration::from_millis(*ms)).collect()
    }

    #[test]
    fn a_row_compares_medians_with_its_goal() {
        let row = Row::new("n", &ms(&[30, 10, 20]), "p 1", &ms(&[400, 100, 300, 200]), Some(0.1));
        assert_eq!((row.ours_ms, row.peer_ms, row.ratio, row.met), (20.0, 250.0, 0.08, Some(true)));
        let row = Row::new("n", &ms(&[30]), "p 1", &ms(&[20]), Some(1.0));
        assert_eq!((row.ratio, row.met), (1.5, Some(false)));
        assert_eq!(Row::new("n", &ms(&[1]), "p", &ms(&[1]), None).met, None);
    }
}
