//! One run of the suites: who is asked, what was found.

use super::{
    Judge, Thoroughness,
    chance::Chance,
    imagined::{ImaginedLeases, NoManifests},
    report::{Check, Outcome, Planned, Report},
};
use crate::{
    plugin::Plugin,
    question::{Lending, Question, Reply},
};
use davit_model::error::PortError;

/// Why a check did not pass.
#[derive(Debug)]
pub(super) enum Why {
    Failed(String),
    Skipped(String),
}

impl From<String> for Why {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

/// What a check found.
pub(super) type Found = Result<(), Why>;

/// A run.
#[derive(Debug)]
pub(super) struct Session<'a> {
    granted: &'a Plugin,
    bare: &'a Plugin,
    pub(super) judge: &'a dyn Judge,
    pub(super) how: Thoroughness,
    pub(super) chance: Chance,
    calls: u32,
    report: Report,
}

impl<'a> Session<'a> {
    pub(super) fn new(granted: &'a Plugin, bare: &'a Plugin, judge: &'a dyn Judge, how: Thoroughness) -> Self {
        Self { granted, bare, judge, how, chance: Chance::new(how.seed), calls: 0, report: Report::default() }
    }

    /// The interface is among what the plugin exports.
    pub(super) fn exports(&self, interface: &str) -> Result<(), Why> {
        if self.granted.info().exports(interface) {
            return Ok(());
        }
        Err(Why::Skipped(format!("it does not export {interface}")))
    }

    pub(super) fn plugin(&self) -> &'a Plugin {
        self.granted
    }

    /// Puts a question twice: the plugin must answer the same. Its error is an answer too; a trap is none.
    pub(super) async fn ask(&mut self, question: &Question) -> Result<Result<Reply, PortError>, Why> {
        let first = self.ask_once(self.granted, question, false).await?;
        let second = self.ask_once(self.granted, question, false).await?;
        if first != second {
            return Err(Why::Failed(format!(
                "{}: the same request got two answers: {} and {}",
                shown(question),
                said(&first),
                said(&second)
            )));
        }
        if self.report.plans.len() < 1000 {
            let reply = first.clone().map_err(|error| error.error.to_string());
            self.report.plans.push(Planned { question: question.clone(), reply });
        }
        Ok(first)
    }

    /// As [`Session::ask`], where any answer will do.
    pub(super) async fn survive(&mut self, question: &Question) -> Found {
        self.ask(question).await.map(drop)
    }

    /// As [`Session::ask`], where an error is a failure.
    pub(super) async fn answer(&mut self, question: &Question) -> Result<Reply, Why> {
        self.ask(question).await?.map_err(|error| Why::Failed(format!("{}: {error}", shown(question))))
    }

    /// Puts a question to the plugin as it is without any grant.
    pub(super) async fn ask_bare(&mut self, question: &Question) -> Found {
        self.ask_once(self.bare, question, false).await.map(drop)
    }

    /// Puts a question while nothing can be leased.
    pub(super) async fn ask_exhausted(&mut self, question: &Question) -> Result<Result<Reply, PortError>, Why> {
        self.ask_once(self.granted, question, true).await
    }

    async fn ask_once(
        &mut self,
        plugin: &Plugin,
        question: &Question,
        exhausted: bool,
    ) -> Result<Result<Reply, PortError>, Why> {
        self.calls += 1;
        let leases = if exhausted { ImaginedLeases::exhausted() } else { ImaginedLeases::before(question) };
        let before = plugin.counts().trapped;
        let reply = plugin.reply(question, Lending { leases: &leases, manifests: &NoManifests }).await.map(|p| p.plan);
        match &reply {
            Err(error) if plugin.counts().trapped > before => {
                Err(Why::Failed(format!("{}: the host had to end the call: {error}", shown(question))))
            }
            _ => Ok(reply),
        }
    }

    /// Writes a check down.
    pub(super) fn found(&mut self, name: &str, found: Found) {
        let outcome = match found {
            Ok(()) => Outcome::Passed,
            Err(Why::Failed(why)) => Outcome::Failed(why),
            Err(Why::Skipped(why)) => Outcome::Skipped(why),
        };
        let calls = std::mem::take(&mut self.calls);
        self.report.checks.push(Check { name: name.to_owned(), outcome, calls });
    }

    pub(super) fn into_report(self) -> Report {
        self.report
    }
}

/// A reply of a kind that the call does not have: a fault of this host, said as such.
pub(super) fn unexpected(reply: &Reply) -> Why {
    Why::Failed(format!("the host took the answer for {reply:?}"))
}

fn shown(question: &Question) -> String {
    let text = serde_json::to_string(question).unwrap_or_else(|_| question.call().to_owned());
    match text.char_indices().nth(600) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn said(reply: &Result<Reply, PortError>) -> String {
    match reply {
        Ok(reply) => format!("{reply:?}"),
        Err(error) => error.to_string(),
    }
}
