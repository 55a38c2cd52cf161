//! One run of the suites: who is asked, what was found.

use super::{
    Judge, Thoroughness,
    chance::Chance,
    imagined::{Imagined, ImaginedLeases, NoManifests, World},
    referred::Unreachable,
    report::{Check, Outcome, Planned, Report},
    tally::Tally,
};
use crate::{
    plugin::Plugin,
    question::{Lending, Question, Reply},
};
use davit_model::{
    auth::ManifestReader,
    error::{PolicyError, PortError},
};

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

/// What a plugin said to a question.
pub(super) type Said = Result<Reply, PortError>;

/// A run.
#[derive(Debug)]
pub(super) struct Session<'a> {
    granted: &'a Plugin,
    bare: &'a Plugin,
    services: &'a Imagined,
    pub(super) judge: &'a dyn Judge,
    pub(super) how: Thoroughness,
    pub(super) chance: Chance,
    calls: u32,
    report: Report,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        granted: &'a Plugin,
        bare: &'a Plugin,
        services: &'a Imagined,
        judge: &'a dyn Judge,
        how: Thoroughness,
    ) -> Self {
        let chance = Chance::new(how.seed);
        Self { granted, bare, services, judge, how, chance, calls: 0, report: Report::default() }
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
    pub(super) async fn ask(&mut self, question: &Question) -> Result<Said, Why> {
        self.ask_beside(question, &NoManifests).await
    }

    /// As [`Session::ask`], with what stands beside a manifest.
    async fn ask_beside(&mut self, question: &Question, manifests: &dyn ManifestReader) -> Result<Said, Why> {
        self.services.forget_what_was_asked();
        let leases = ImaginedLeases::before;
        let first = self.ask_once(self.granted, question, &leases(question), manifests).await?;
        let second = self.ask_once(self.granted, question, &leases(question), manifests).await?;
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

    /// As [`Session::ask`], where any answer will do: for requests that never come.
    pub(super) async fn survive(&mut self, question: &Question) -> Found {
        self.ask(question).await.map(drop)
    }

    /// As [`Session::ask`], for a request that does come: a refusal is an answer, a failure of the plugin's own is none.
    pub(super) async fn permit(&mut self, question: &Question) -> Result<Said, Why> {
        self.permit_beside(question, &NoManifests).await
    }

    async fn permit_beside(&mut self, question: &Question, manifests: &dyn ManifestReader) -> Result<Said, Why> {
        let said = self.ask_beside(question, manifests).await?;
        self.own_failure(question, &said)?;
        Ok(said)
    }

    /// As [`Session::permit`], counted: who refuses all of them is told by [`Session::not_all_refused`].
    pub(super) async fn tried(&mut self, tally: &mut Tally, question: &Question) -> Result<Said, Why> {
        self.tried_beside(tally, question, &NoManifests).await
    }

    /// As [`Session::tried`], with what stands beside a manifest.
    pub(super) async fn tried_beside(
        &mut self,
        tally: &mut Tally,
        question: &Question,
        manifests: &dyn ManifestReader,
    ) -> Result<Said, Why> {
        let said = self.permit_beside(question, manifests).await?;
        tally.count(question, &said, self.services.asked());
        Ok(said)
    }

    /// As [`Session::ask`], where an error is a failure.
    pub(super) async fn answer(&mut self, question: &Question) -> Result<Reply, Why> {
        let said = self.ask(question).await?;
        said.map_err(|error| Why::Failed(format!("{}: {error}{}", shown(question), self.advice())))
    }

    /// Puts a question that is as large as the engine lets it be, once: it is too long to be kept.
    pub(super) async fn bear(&mut self, question: &Question) -> Result<Said, Why> {
        self.services.forget_what_was_asked();
        let said = self.ask_once(self.granted, question, &ImaginedLeases::before(question), &NoManifests).await?;
        self.own_failure(question, &said)?;
        Ok(said)
    }

    /// The last checks of every kind's suite, over `samples` of its calls.
    pub(super) async fn without_help(&mut self, kind: &str, samples: impl Fn(&mut Self) -> Result<Vec<Question>, Why>) {
        let found = match samples(self) {
            Ok(questions) => self.ask_bare(&questions).await,
            Err(why) => Err(why),
        };
        self.found(&format!("{kind}: without its grants it answers, and does not trap"), found);
        let found = match samples(self) {
            Ok(questions) => self.ask_in_need(&questions).await,
            Err(why) => Err(why),
        };
        self.found(&format!("{kind}: where the host's services fail it answers, and does not trap"), found);
    }

    /// Puts questions to the plugin as it is without any grant.
    async fn ask_bare(&mut self, questions: &[Question]) -> Found {
        for question in questions {
            self.ask_once(self.bare, question, &ImaginedLeases::before(question), &NoManifests).await?.ok();
        }
        Ok(())
    }

    /// Puts questions while nothing that the host does for the plugin succeeds; at last not even its section can be read.
    async fn ask_in_need(&mut self, questions: &[Question]) -> Found {
        let mut found = Ok(());
        for world in [World::Failing, World::Dead] {
            self.services.turn(world);
            for question in questions {
                if found.is_ok() {
                    let leases = ImaginedLeases::exhausted();
                    found = self.ask_once(self.granted, question, &leases, &Unreachable).await.map(drop);
                }
            }
        }
        self.services.turn(World::Quiet);
        found
    }

    /// Puts a question while nothing can be leased.
    pub(super) async fn ask_exhausted(&mut self, question: &Question) -> Result<Said, Why> {
        self.ask_once(self.granted, question, &ImaginedLeases::exhausted(), &NoManifests).await
    }

    async fn ask_once(
        &mut self,
        plugin: &Plugin,
        question: &Question,
        leases: &ImaginedLeases,
        manifests: &dyn ManifestReader,
    ) -> Result<Said, Why> {
        self.calls += 1;
        let before = plugin.counts().trapped;
        let reply = plugin.reply(question, Lending { leases, manifests }).await.map(|p| p.plan);
        match &reply {
            Err(error) if plugin.counts().trapped > before => {
                Err(Why::Failed(format!("{}: the host had to end the call: {error}", shown(question))))
            }
            _ => Ok(reply),
        }
    }

    /// `internal` says that the policy is broken, and so does `other` where nothing else went wrong.
    fn own_failure(&self, question: &Question, said: &Said) -> Found {
        let Err(error) = said else { return Ok(()) };
        let own = match &error.error {
            PolicyError::Internal(_) => true,
            PolicyError::Other(_) => !self.services.asked().web,
            _ => false,
        };
        if !own {
            return Ok(());
        }
        let asked = shown(question);
        Err(Why::Failed(format!("{asked}: it failed, where it has to answer or to refuse: {error}{}", self.advice())))
    }

    /// A function that refuses every request decides nothing. Where it asked the web, it gets an answer from there
    /// before it is judged.
    pub(super) async fn not_all_refused(&mut self, tally: Tally) -> Found {
        let Some((question, error)) = tally.nothing_but_refusals() else { return Ok(()) };
        let (call, number) = (question.call(), tally.asked());
        if let Some(question) = tally.for_want_of_the_web() {
            self.services.turn(World::Answering);
            let leases = ImaginedLeases::before(question);
            let answered = self.ask_once(self.granted, question, &leases, &NoManifests).await;
            self.services.turn(World::Quiet);
            return match answered? {
                Ok(_) => Ok(()),
                Err(error) => Err(Why::Skipped(format!(
                    "{call} refuses all of {number} generated requests, for want of what it asks the web for, which is not \
                     there while a plugin is tried out: {error}"
                ))),
            };
        }
        Err(Why::Failed(format!(
            "{call} refuses everything: all of {number} generated requests got an error, the last of them {}: {error}{}",
            shown(question),
            self.advice_to(tally.read_its_configuration())
        )))
    }

    /// What an author should try first, where a plugin does not answer.
    pub(super) fn advice(&self) -> &'static str {
        self.advice_to(self.services.asked().config)
    }

    fn advice_to(&self, reader: bool) -> &'static str {
        if reader && !self.services.is_configured() {
            "; it read its configuration, and was given none: where it needs one, add --config FILE"
        } else {
            ""
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
