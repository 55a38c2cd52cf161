//! What came out, by name.

use crate::question::{Question, Reply};
use serde::Serialize;

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome", content = "why")]
pub enum Outcome {
    /// The plugin keeps to it.
    Passed,
    /// It does not; with the request and what went wrong.
    Failed(String),
    /// It does not apply to this plugin, and why.
    Skipped(String),
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// `storage: the same request gives the same plan`.
    pub name: String,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How many calls it took.
    pub calls: u32,
}

/// All of them, in the order in which they were made, and what the plugin answered to the requests of the suite.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The checks.
    pub checks: Vec<Check>,
    /// The plans that it made, for snapshots.
    pub plans: Vec<Planned>,
}

/// A request and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Planned {
    /// The request.
    pub question: Question,
    /// The plan, or the error's text.
    pub reply: Result<Reply, String>,
}

impl Report {
    /// Whether nothing failed, and something was looked at.
    pub fn passed(&self) -> bool {
        let failed = self.checks.iter().any(|c| matches!(c.outcome, Outcome::Failed(_)));
        let looked = self.checks.iter().any(|c| c.outcome == Outcome::Passed);
        looked && !failed
    }
}
