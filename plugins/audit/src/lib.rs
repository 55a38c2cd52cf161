//! A record of what happened, in a chain that shows where something is missing or was changed, sent to an HTTP sink.
//!
//!     [plugins.audit.config]
//!     sink = "https://audit.example/v1/records"   # gets lines of JSON by POST
//!     source = "host-7"                           # whose chain this is
//!
//! An event becomes a record: one line of JSON with its number and the SHA-256 of the line before. A record is kept in
//! `state` first and sent by a later call, with others; it stays until the sink has taken it (a status of 200 to 299).
//! What comes while the queue is full is not recorded but counted, and the count is a record itself as soon as there is
//! room.

use davit_plugin_sdk::{
    host::{self, check_settings, clock, config, http, secrets, state},
    lifecycle::{Error, Event, Observe, Result},
    pattern, said,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

struct Audit;

/// Where the chain's end is kept.
const HEAD: &str = "head";
/// What the first record has for the digest of the one before.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Of the 16 MiB that a plugin's state may have.
const MOST_BYTES: u64 = 12 << 20;
/// A request's body has at most 1 MiB: no record is begun beyond this, and the longest fits into the rest.
const MOST_BODY: usize = 700 << 10;
/// Details of one record beyond this are left out, and the record says so.
const MOST_DETAILS: usize = 32 << 10;
const MOST_BATCH: u64 = 500;
/// How long the sink is left alone after it did not take records: doubled each time, between these.
const REST_MS: (u64, u64) = (1_000, 60_000);

/// The chain's end, and what is queued of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Head {
    /// The number of the last record; 0 where there is none.
    last: u64,
    /// The digest of the last record.
    digest: String,
    /// The number of the first record that is still queued.
    first: u64,
    /// Bytes that are queued.
    bytes: u64,
    /// Events that found the queue full since the last record.
    dropped: Dropped,
    /// How often in a row the sink did not take records.
    failures: u32,
    /// When it is tried again.
    rest_until_ms: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Dropped {
    count: u64,
    from_ms: u64,
    to_ms: u64,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            last: 0,
            digest: BEGINNING.to_owned(),
            first: 1,
            bytes: 0,
            dropped: Dropped::default(),
            failures: 0,
            rest_until_ms: 0,
        }
    }
}

/// A line of the chain. The order of the members is that of the text.
#[derive(Debug, Serialize)]
struct Record<'a> {
    sequence: u64,
    previous: &'a str,
    source: &'a str,
    time_ms: u64,
    kind: &'a str,
    actor: &'a str,
    attributes: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

struct Settings {
    sink: String,
    source: String,
    token: Option<String>,
    kinds: Vec<String>,
    batch: u64,
    keep: u64,
}

/// How sending went.
enum Sent {
    Nothing,
    Taken { first: u64, next: u64 },
    Refused(String),
}

fn bad(key: &str, what: &str) -> Error {
    Error::Invalid(format!("{key} in the plugin's configuration is {what}"))
}

fn number(key: &str, default: u64, most: u64) -> Result<u64> {
    let Some(text) = config::get(key)? else { return Ok(default) };
    let number = text.parse().ok().filter(|n| (1..=most).contains(n));
    number.ok_or_else(|| bad(key, &format!("a number of 1 to {most}, not {text}")))
}

impl Settings {
    fn read() -> Result<Self> {
        check_settings(&["sink", "source", "token", "events", "batch", "keep"])?;
        let kinds = match config::get("events")? {
            None => vec!["*".to_owned()],
            Some(text) => serde_json::from_str(&text).map_err(|_| bad("events", "a list of patterns"))?,
        };
        Ok(Self {
            sink: config::get("sink")?.ok_or_else(|| bad("sink", "missing: where records are sent"))?,
            source: config::get("source")?.unwrap_or_default(),
            token: config::get("token")?,
            kinds,
            batch: number("batch", 100, MOST_BATCH)?,
            keep: number("keep", 10_000, 1_000_000)?,
        })
    }
}

fn broken(what: impl std::fmt::Display) -> Error {
    Error::Internal(format!("the queue in the plugin's state is broken: {what}"))
}

fn key(sequence: u64) -> String {
    format!("record/{sequence:016x}")
}

/// The head with its bytes, which a swap compares.
fn head() -> Result<(Option<Vec<u8>>, Head)> {
    let raw = state::get(HEAD)?;
    let head = match &raw {
        Some(bytes) => serde_json::from_slice(bytes).map_err(broken)?,
        None => Head::default(),
    };
    Ok((raw, head))
}

impl Head {
    fn queued(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first)
    }

    fn is_full(&self, settings: &Settings) -> bool {
        self.queued() >= settings.keep || self.bytes >= MOST_BYTES
    }

    /// Adds a record; its line is written once the head is.
    fn add(&mut self, settings: &Settings, event: &Seen) -> Result<(u64, String)> {
        let mut room = MOST_DETAILS;
        let mut truncated = false;
        let mut attributes = BTreeMap::new();
        for (name, value) in &event.attributes {
            match room.checked_sub(name.len() + value.len()) {
                Some(left) => {
                    room = left;
                    attributes.insert(name.clone(), value.clone());
                }
                None => truncated = true,
            }
        }
        let record = Record {
            sequence: self.last + 1,
            previous: &self.digest,
            source: &settings.source,
            time_ms: event.time_ms,
            kind: &event.kind,
            actor: &event.actor,
            attributes,
            truncated,
        };
        let line = serde_json::to_string(&record).map_err(broken)?;
        self.last += 1;
        self.digest = Sha256::digest(&line).iter().map(|byte| format!("{byte:02x}")).collect();
        self.bytes = self.bytes.saturating_add(line.len() as u64);
        Ok((self.last, line))
    }

    /// Takes an event in: as a record, or where there is no room as one more that was dropped.
    fn take(&mut self, settings: &Settings, event: &Seen) -> Result<Vec<(u64, String)>> {
        if self.is_full(settings) {
            let from_ms = if self.dropped.count == 0 { event.time_ms } else { self.dropped.from_ms };
            self.dropped = Dropped { count: self.dropped.count + 1, from_ms, to_ms: event.time_ms };
            return Ok(Vec::new());
        }
        let mut lines = Vec::new();
        let dropped = std::mem::take(&mut self.dropped);
        if dropped.count > 0 {
            let said = [("count", dropped.count), ("from_ms", dropped.from_ms), ("to_ms", dropped.to_ms)];
            let gap = Seen {
                kind: "audit.dropped".to_owned(),
                actor: String::new(),
                time_ms: event.time_ms,
                attributes: said.map(|(name, value)| (name.to_owned(), value.to_string())).into(),
            };
            lines.push(self.add(settings, &gap)?);
        }
        lines.push(self.add(settings, event)?);
        Ok(lines)
    }

    /// Learns how sending went; answers the records that are to go, where nobody else has removed them meanwhile.
    fn learn(&mut self, sent: &Sent, now_ms: u64) -> std::ops::Range<u64> {
        match sent {
            Sent::Nothing => 0..0,
            Sent::Taken { first, next } => {
                self.failures = 0;
                self.rest_until_ms = 0;
                let gone = (*first).max(self.first)..(*next).max(self.first);
                self.first = gone.end;
                gone
            }
            Sent::Refused(_) => {
                let doubled = REST_MS.0.saturating_mul(1 << self.failures.min(16));
                self.failures = self.failures.saturating_add(1);
                self.rest_until_ms = now_ms.saturating_add(doubled.min(REST_MS.1));
                0..0
            }
        }
    }
}

/// An event, read.
struct Seen {
    kind: String,
    actor: String,
    time_ms: u64,
    attributes: Vec<(String, String)>,
}

fn post(settings: &Settings, lines: Vec<u8>) -> Result<u16> {
    let request = http::Request::new("POST", &settings.sink);
    request.header("content-type", "application/x-ndjson")?;
    if let Some(name) = &settings.token {
        request.bearer(&secrets::named(name)?)?;
    }
    request.body(&lines)?;
    Ok(request.send()?.status())
}

/// Sends the oldest records. Only what is kept already is sent: the sink never sees a record that could still change.
fn send(settings: &Settings, head: &Head, now_ms: u64) -> Result<Sent> {
    if head.queued() == 0 || now_ms < head.rest_until_ms {
        return Ok(Sent::Nothing);
    }
    let mut lines = Vec::new();
    let mut next = head.first;
    while next <= head.last && next - head.first < settings.batch && lines.len() < MOST_BODY {
        // Another call may have sent it and taken it away since the head was read.
        let Some(line) = state::get(&key(next))? else { break };
        lines.extend(line);
        lines.push(b'\n');
        next += 1;
    }
    if lines.is_empty() {
        return Ok(Sent::Nothing);
    }
    Ok(match post(settings, lines) {
        Ok(200..=299) => Sent::Taken { first: head.first, next },
        Ok(status) => Sent::Refused(format!("it answered {status}")),
        Err(error) => Sent::Refused(said(&error).to_owned()),
    })
}

/// Writes the event down, and what became of sending. The head is read here, after the sink had its time, so that the
/// moment in which another call can come between is short.
fn keep(settings: &Settings, event: &Seen, sent: &Sent, now_ms: u64) -> Result<()> {
    loop {
        let (raw, mut head) = head()?;
        let gone = head.learn(sent, now_ms);
        let mut old = Vec::new();
        for sequence in gone {
            let line = state::get(&key(sequence))?;
            head.bytes = head.bytes.saturating_sub(line.as_ref().map_or(0, Vec::len) as u64);
            old.push((sequence, line));
        }
        let new = head.take(settings, event)?;
        let written = serde_json::to_vec(&head).map_err(broken)?;
        if !state::swap(HEAD, raw.as_deref(), Some(&written))? {
            continue;
        }
        // What these find changed has changed together with the head: the host sees that when the call ends, keeps
        // nothing of it and makes it again.
        for (sequence, line) in old {
            state::swap(&key(sequence), line.as_deref(), None)?;
        }
        for (sequence, line) in new {
            let there = state::get(&key(sequence))?;
            state::swap(&key(sequence), there.as_deref(), Some(line.as_bytes()))?;
        }
        if let Sent::Refused(why) = sent {
            let wait = head.rest_until_ms.saturating_sub(now_ms);
            host::warn(format!("{} records wait for the sink: {why}; next try in {wait} ms", head.queued()));
        }
        return Ok(());
    }
}

impl Observe for Audit {
    fn observe(event: &Event) -> Result<()> {
        let settings = Settings::read()?;
        let kind = event.kind();
        if pattern::first(settings.kinds.iter().map(String::as_str), &kind).is_none() {
            return Ok(());
        }
        let seen = Seen { kind, actor: event.actor(), time_ms: event.time_ms(), attributes: event.attributes() };
        let now_ms = clock::now_ms();
        let sent = send(&settings, &head()?.1, now_ms)?;
        keep(&settings, &seen, &sent, now_ms)
    }
}

davit_plugin_sdk::export!(lifecycle: Audit, observe);
