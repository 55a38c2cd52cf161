//! Where images are fetched from: mirrors by pattern, best first, the registry itself last. A mirror that did not answer
//! lately is left out for a while, so that a pull does not wait for it.
//!
//!     [plugins.mirror.config]
//!     rules = [                                     # the first that matches
//!       { pattern = "docker.io/library/*", mirrors = ["https://mirror.example", "https://second.example"], prefix = "hub" },
//!       { pattern = "registry.example", mirrors = ["https://near.example"], fallback = false },
//!     ]
//!     trust = 60                                    # seconds that a mirror which answered is not asked again
//!     avoid = 30                                    # seconds that one which did not is left out; doubled each time
//!
//! A mirror is asked for `GET /v2/` where the site granted `http` with its origin, and `state` to remember what it said;
//! without either all mirrors are named in the order of the rule. Challenges are answered as usual: with the caller's
//! credential for that server, a stored one, or anonymously.

use davit_plugin_sdk::{
    auth::{Answer, Challenge, Endpoints, Error, RegistryAuth, Request, Resolver, Result},
    host::{self, clock, config, state},
    login, pattern, said,
};
use serde::Deserialize;

struct Mirror;

/// How many mirrors are asked how they are in one call: one that hangs takes the host's 10 s.
const PROBES: u32 = 2;
/// A mirror is asked again after this time at the latest, in seconds.
const LONGEST: u64 = 900;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default = "a_minute")]
    trust: u64,
    #[serde(default = "half_a_minute")]
    avoid: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    pattern: String,
    mirrors: Vec<String>,
    #[serde(default)]
    prefix: String,
    /// Whether the registry itself may serve where no mirror does.
    #[serde(default = "yes")]
    fallback: bool,
}

fn a_minute() -> u64 {
    60
}

fn half_a_minute() -> u64 {
    30
}

fn yes() -> bool {
    true
}

impl Config {
    fn read() -> Result<Self> {
        serde_json::from_str(&config::section_json()?)
            .map_err(|e| Error::Invalid(format!("the plugin's configuration: {e}")))
    }

    fn rule(&self, registry: &str, repository: &str) -> Option<&Rule> {
        let name = format!("{registry}/{repository}");
        self.rules.iter().find(|rule| pattern::covers(&rule.pattern, &name))
    }
}

/// What is known of a mirror.
#[derive(Clone, Copy, PartialEq)]
enum Standing {
    Answers,
    Fails,
    Unknown,
}

/// What is remembered of a mirror: how it was, until when that counts, and how often in a row it failed.
struct Record {
    answers: bool,
    until: u64,
    failures: u32,
}

impl Record {
    fn read(text: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.split(' ');
        let answers = words.next()? == "answers";
        Some(Self { answers, until: words.next()?.parse().ok()?, failures: words.next()?.parse().ok()? })
    }

    fn text(&self) -> Vec<u8> {
        let word = if self.answers { "answers" } else { "fails" };
        format!("{word} {} {}", self.until, self.failures).into_bytes()
    }
}

/// What is known of mirrors, and how many more may be asked in this call.
struct Health<'a> {
    config: &'a Config,
    probes: u32,
}

impl Health<'_> {
    /// From memory, and where that is old and `ask` says so, from the mirror. A right that is not granted leaves it
    /// unknown.
    fn of(&mut self, origin: &str, ask: bool) -> Standing {
        let key = format!("mirror {origin}");
        let Ok(kept) = state::get(&key) else { return Standing::Unknown };
        let before = kept.as_deref().and_then(Record::read);
        if let Some(record) = before.as_ref().filter(|record| clock::now_ms() < record.until) {
            return if record.answers { Standing::Answers } else { Standing::Fails };
        }
        if !ask || self.probes == 0 {
            return Standing::Unknown;
        }
        self.probes -= 1;
        let Some((answers, wait)) = probe(origin) else { return Standing::Unknown };
        let failures = if answers { 0 } else { before.map_or(0, |record| record.failures).saturating_add(1) };
        let seconds = match failures {
            0 => self.config.trust,
            _ => self.config.avoid.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST).max(wait),
        };
        let until = clock::now_ms().saturating_add(seconds.saturating_mul(1000));
        let new = Record { answers, until, failures }.text();
        if let Err(error) = state::swap(&key, kept.as_deref(), Some(&new)) {
            host::warn(format!("how {origin} is cannot be remembered: {}", said(&error)));
        }
        if !answers {
            host::warn(format!("{origin} does not answer and is left out for {seconds} s"));
        }
        if answers { Standing::Answers } else { Standing::Fails }
    }
}

/// Whether a mirror answers, and how many seconds it wants to be left alone; none where it may not be asked. What it
/// answers matters little: a mirror that wants a login is there.
fn probe(origin: &str) -> Option<(bool, u64)> {
    match Request::new("GET", &format!("{origin}/v2/")).send() {
        Ok(response) => {
            let wait = response.header("retry-after").and_then(|s| s.trim().parse().ok()).unwrap_or(0);
            Some((!matches!(response.status(), 429 | 500..=599), u64::min(wait, LONGEST)))
        }
        Err(Error::Denied(_)) => None,
        Err(_) => Some((false, 0)),
    }
}

impl Resolver for Mirror {
    fn resolve(registry: &str, repository: &str, endpoints: &Endpoints) -> Result<()> {
        let config = Config::read()?;
        let Some(rule) = config.rule(registry, repository) else { return Ok(()) };
        let mut health = Health { config: &config, probes: PROBES };
        let (mut serving, mut failing, mut sure) = (Vec::new(), Vec::new(), false);
        for origin in &rule.mirrors {
            // Once one is known to answer, the others are there for what it does not have, and are not asked.
            match health.of(origin, !sure) {
                Standing::Fails => failing.push(origin),
                standing => {
                    sure |= standing == Standing::Answers;
                    serving.push(origin);
                }
            }
        }
        if !rule.fallback {
            serving.extend(failing);
        }
        serving.into_iter().try_for_each(|origin| endpoints.add(origin, &rule.prefix))
    }
}

/// The rule that says that only mirrors serve this, where the registry itself is what is being asked to be pulled from.
fn mirrors_only<'a>(config: &'a Config, challenge: &Challenge) -> Option<&'a Rule> {
    let (registry, repository) = (challenge.registry(), challenge.repository()?);
    let pulls = challenge.actions() == ["pull"];
    let rule = config.rule(&registry, &repository).filter(|rule| pulls && !rule.fallback)?;
    let is_mirror = rule.mirrors.iter().any(|origin| origin.split("://").nth(1) == Some(registry.as_str()));
    (!is_mirror).then_some(rule)
}

impl RegistryAuth for Mirror {
    fn authenticate(challenge: &Challenge, answer: &Answer) -> Result<()> {
        let config = Config::read()?;
        if let Some(rule) = mirrors_only(&config, challenge) {
            return Err(Error::Denied(format!(
                "{} itself is not asked: only its mirrors serve what matches {}, and none of them could",
                challenge.registry(),
                rule.pattern
            )));
        }
        login::answer(challenge, answer)
    }
}

davit_plugin_sdk::export!(registry_auth: Mirror, resolver);
