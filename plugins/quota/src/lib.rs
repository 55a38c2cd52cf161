//! How many containers, and how much memory in all, a caller may have, and a label.
//!
//!     [plugins.quota.config]
//!     callers = { "uid:1000" = { containers = 5, memory = "2GiB" }, "*" = { containers = 20 } }
//!     labels = { "team=web" = { containers = 10 }, "team=*" = { containers = 3 } }
//!
//! Policy is not told what exists, so this keeps a ledger in `state`, one line for each container that it let in, and
//! keeps it true: `mutate` marks the request with a label, which every event about the container carries; `admit` counts
//! it before it exists; an event makes its line last, `container.destroy` strikes it out. A line that no event confirms
//! in time was for a container that did not come to be: it counts no more. Should its container start after all, it has
//! to fit again.

use davit_plugin_sdk::{
    host::{clock, config, state},
    lifecycle::{Adjustment, Admit, Error, Event, Mutate, Observe, Operation, Result},
    size,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

struct Quota;

/// Where the ledger is kept.
const LEDGER: &str = "ledger";
/// The label that marks a container.
const MARK: &str = "davit.quota";
const MARK_POINTER: &str = "/labels/davit.quota";
/// How long after its admission a container that no event has told of counts, in seconds.
const PENDING: u64 = 60;
/// How long a line that counts no more is kept for an event that comes late.
const KEPT_MS: u64 = 3_600_000;

/// What a caller or a label may have.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    containers: Option<u64>,
    #[serde(default, deserialize_with = "bytes")]
    memory: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    callers: BTreeMap<String, Limit>,
    labels: BTreeMap<String, Limit>,
    pending: Option<u64>,
}

/// One container that was let in.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    /// What the container is marked with. Requests that are alike in all and come in one millisecond share it.
    mark: String,
    caller: String,
    /// Those of its labels that limits were about, `key=value`.
    labels: BTreeSet<String>,
    memory: u64,
    /// When it was let in.
    since_ms: u64,
    /// The container's id, once an event has told it.
    id: Option<String>,
    /// It was seen to start, so it is there.
    started: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Ledger {
    lines: Vec<Line>,
}

/// A limit, whom it is for, and what is counted against it.
struct Applies {
    whom: String,
    limit: Limit,
    counts: Box<dyn Fn(&Line) -> bool>,
}

fn bytes<'de, D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Option<u64>, D::Error> {
    use serde::de::Error as _;
    let value = Value::deserialize(from)?;
    let read = match &value {
        Value::Number(number) => number.as_u64(),
        // Without a unit it would be a number.
        Value::String(text) => size::bytes(text).filter(|_| text.ends_with("iB")),
        _ => None,
    };
    read.map(Some).ok_or_else(|| D::Error::custom(format!("memory: {value} is not a size such as 512MiB")))
}

fn shown(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

impl Settings {
    fn read() -> Result<Self> {
        serde_json::from_str(&config::section_json()?)
            .map_err(|error| Error::Invalid(format!("the plugin's configuration: {error}")))
    }

    fn limits_nothing(&self) -> bool {
        self.callers.is_empty() && self.labels.is_empty()
    }

    fn pending_ms(&self) -> u64 {
        self.pending.unwrap_or(PENDING).saturating_mul(1000)
    }

    /// Of these labels, those that a limit is about.
    fn counted(&self, labels: &[(String, String)]) -> BTreeSet<String> {
        let named = |key: &str| self.labels.keys().any(|rule| rule.split_once('=').is_some_and(|(k, _)| k == key));
        labels.iter().filter(|(key, _)| named(key)).map(|(key, value)| format!("{key}={value}")).collect()
    }

    /// The limits that a line is under. A name comes before `*`, which is for each of the others by itself.
    fn of(&self, line: &Line) -> Vec<Applies> {
        let mut all = Vec::new();
        if let Some(limit) = self.callers.get(&line.caller).or_else(|| self.callers.get("*")) {
            let caller = line.caller.clone();
            let whom = format!("caller {caller}");
            all.push(Applies { whom, limit: *limit, counts: Box::new(move |line| line.caller == caller) });
        }
        for label in &line.labels {
            let any = label.split_once('=').map(|(key, _)| format!("{key}=*")).unwrap_or_default();
            if let Some(limit) = self.labels.get(label).or_else(|| self.labels.get(&any)) {
                let own = label.clone();
                let whom = format!("label {label}");
                all.push(Applies { whom, limit: *limit, counts: Box::new(move |line| line.labels.contains(&own)) });
            }
        }
        all
    }
}

impl Line {
    fn counts(&self, settings: &Settings, now_ms: u64) -> bool {
        self.id.is_some() || self.started || now_ms.saturating_sub(self.since_ms) < settings.pending_ms()
    }
}

impl Ledger {
    fn read() -> Result<(Option<Vec<u8>>, Self)> {
        let raw = state::get(LEDGER)?;
        let ledger = match &raw {
            Some(bytes) => serde_json::from_slice(bytes)
                .map_err(|error| Error::Internal(format!("the ledger in the plugin's state is broken: {error}")))?,
            None => Self::default(),
        };
        Ok((raw, ledger))
    }

    /// Changes the ledger; `change` says whether it did, and is asked again where another call came between.
    fn change(mut change: impl FnMut(&mut Self) -> Result<bool>) -> Result<()> {
        loop {
            let (raw, mut ledger) = Self::read()?;
            if !change(&mut ledger)? {
                return Ok(());
            }
            let written = serde_json::to_vec(&ledger).map_err(|error| Error::Internal(error.to_string()))?;
            if state::swap(LEDGER, raw.as_deref(), Some(&written))? {
                return Ok(());
            }
        }
    }

    /// Whether one more line fits beside those that count; `besides` is left out of them.
    fn fits(&self, settings: &Settings, line: &Line, besides: Option<usize>, now_ms: u64) -> Result<()> {
        for Applies { whom, limit, counts } in settings.of(line) {
            let lines = self
                .lines
                .iter()
                .enumerate()
                .filter(|(at, other)| Some(*at) != besides && other.counts(settings, now_ms) && counts(other));
            let (mut containers, mut memory) = (0_u64, 0_u64);
            for (_, other) in lines {
                containers += 1;
                memory = memory.saturating_add(other.memory);
            }
            if let Some(most) = limit.containers
                && containers >= most
            {
                return Err(Error::Denied(format!("{whom} has {containers} containers of {most} that it may have")));
            }
            if let Some(most) = limit.memory {
                if line.memory == 0 {
                    return Err(Error::Denied(format!(
                        "{whom} has a limit of {} of memory in all, so each container needs one of its own (--memory)",
                        shown(most)
                    )));
                }
                if memory.saturating_add(line.memory) > most {
                    return Err(Error::Denied(format!(
                        "{whom} has {} of memory of {} that it may have, and {} more do not fit",
                        shown(memory),
                        shown(most),
                        shown(line.memory)
                    )));
                }
            }
        }
        Ok(())
    }

    /// The line of a container with this mark: one that is sure to be there before one that is not.
    fn position(&self, mark: &str) -> Option<usize> {
        let sure = |line: &Line| line.mark == mark && (line.id.is_some() || line.started);
        self.lines.iter().position(sure).or_else(|| self.lines.iter().position(|line| line.mark == mark))
    }
}

fn mark_of(operation: &Operation) -> Option<String> {
    operation.labels().into_iter().find(|(key, _)| key == MARK).map(|(_, value)| value)
}

/// A mark for a request. Who asks, when, and what for: no more is known of it.
fn new_mark(operation: &Operation) -> String {
    let mut request: Value = operation.field("").and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    if let Some(labels) = request.pointer_mut("/labels").and_then(Value::as_object_mut) {
        labels.remove(MARK);
    }
    let text = json!([clock::now_ms(), operation.caller(), request]).to_string();
    Sha256::digest(text).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

fn line_of(settings: &Settings, operation: &Operation, mark: String) -> Line {
    let memory = operation.field("/limits/memory").and_then(|json| json.parse().ok()).unwrap_or(0);
    Line {
        mark,
        caller: operation.caller(),
        labels: settings.counted(&operation.labels()),
        memory,
        since_ms: clock::now_ms(),
        id: None,
        started: false,
    }
}

impl Mutate for Quota {
    fn mutate(operation: &Operation, adjustment: &Adjustment) -> Result<()> {
        if operation.kind() != "container.create" || Settings::read()?.limits_nothing() {
            return Ok(());
        }
        // A mark that the request brings along is somebody else's.
        adjustment.set(MARK_POINTER, &Value::from(new_mark(operation)).to_string())
    }
}

impl Quota {
    fn create(settings: &Settings, operation: &Operation) -> Result<()> {
        let line = line_of(settings, operation, mark_of(operation).unwrap_or_else(|| new_mark(operation)));
        if settings.of(&line).is_empty() {
            return Ok(());
        }
        Ledger::change(|ledger| {
            let now = line.since_ms;
            ledger.lines.retain(|old| old.counts(settings, now) || now.saturating_sub(old.since_ms) < KEPT_MS);
            ledger.fits(settings, &line, None, now)?;
            ledger.lines.push(line.clone());
            Ok(true)
        })
    }

    /// A start is admitted for certain, where an event may be lost: what starts is there.
    fn start(settings: &Settings, operation: &Operation) -> Result<()> {
        let Some(mark) = mark_of(operation) else { return Ok(()) };
        let now = clock::now_ms();
        let fresh = line_of(settings, operation, mark);
        Ledger::change(|ledger| {
            match ledger.position(&fresh.mark) {
                Some(at) => {
                    let Some(line) = ledger.lines.get(at).cloned() else { return Ok(false) };
                    if line.id.is_some() || line.started {
                        return Ok(false);
                    }
                    ledger.fits(settings, &line, Some(at), now)?;
                    if let Some(line) = ledger.lines.get_mut(at) {
                        line.started = true;
                    }
                }
                None if settings.of(&fresh).is_empty() => return Ok(false),
                None => {
                    ledger.fits(settings, &fresh, None, now)?;
                    ledger.lines.push(Line { started: true, ..fresh.clone() });
                }
            }
            Ok(true)
        })
    }

    fn update(settings: &Settings, operation: &Operation) -> Result<()> {
        let Some(mark) = mark_of(operation) else { return Ok(()) };
        let asked = line_of(settings, operation, mark);
        Ledger::change(|ledger| {
            let Some(at) = ledger.position(&asked.mark) else { return Ok(false) };
            let Some(line) = ledger.lines.get(at).cloned() else { return Ok(false) };
            if line.memory == asked.memory {
                return Ok(false);
            }
            let less = asked.memory != 0 && asked.memory < line.memory;
            let changed = Line { memory: asked.memory, ..line };
            if !less {
                ledger.fits(settings, &changed, Some(at), asked.since_ms)?;
            }
            if let Some(line) = ledger.lines.get_mut(at) {
                *line = changed;
            }
            Ok(true)
        })
    }
}

impl Admit for Quota {
    fn admit(operation: &Operation) -> Result<()> {
        let kind = operation.kind();
        if !matches!(kind.as_str(), "container.create" | "container.start" | "container.update") {
            return Ok(());
        }
        let settings = Settings::read()?;
        if settings.limits_nothing() {
            return Ok(());
        }
        match kind.as_str() {
            "container.create" => Self::create(&settings, operation),
            "container.start" => Self::start(&settings, operation),
            _ => Self::update(&settings, operation),
        }
    }
}

impl Observe for Quota {
    fn observe(event: &Event) -> Result<()> {
        let Some(mark) = event.attribute(MARK) else { return Ok(()) };
        let kind = event.kind();
        if !kind.starts_with("container.") {
            return Ok(());
        }
        let id = event.actor();
        Ledger::change(|ledger| {
            let own = ledger.lines.iter().position(|line| line.id.as_deref() == Some(&id));
            // Before an event has told its id, a container is one of those with its mark.
            let unknown = |line: &Line| line.mark == mark && line.id.is_none();
            let found = own.or_else(|| ledger.lines.iter().position(unknown));
            match (kind == "container.destroy", found) {
                (true, Some(at)) => drop(ledger.lines.remove(at)),
                (false, Some(at)) if own.is_none() => {
                    if let Some(line) = ledger.lines.get_mut(at) {
                        line.id = Some(id.clone());
                    }
                }
                _ => return Ok(false),
            }
            Ok(true)
        })
    }
}

davit_plugin_sdk::export!(lifecycle: Quota, mutate, admit, observe);
