//! What happened, for whoever watches: clients of `/events`, and the observers of the lifecycle chain.

use crate::{Engine, EngineError};
use davit_model::lifecycle::Event;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// How many past events are kept for clients that ask for `since`.
const KEPT: usize = 1024;

/// Which events a client wants; empty lists want all.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Milliseconds since 1970: past events from then on are sent first.
    pub since_ms: Option<u64>,
    /// The stream ends at this time.
    pub until_ms: Option<u64>,
    /// `container`, `image`, `network`, `volume`.
    pub types: Vec<String>,
    /// `start`, `die`, ….
    pub actions: Vec<String>,
    /// Container ids or names.
    pub containers: Vec<String>,
    /// Image references.
    pub images: Vec<String>,
    /// `key` or `key=value`.
    pub labels: Vec<String>,
}

impl EventFilter {
    /// Whether the event is wanted.
    pub fn matches(&self, event: &Event) -> bool {
        let (kind, action) = event.kind.split_once('.').unwrap_or((event.kind.as_str(), ""));
        let one_of =
            |wanted: &[String], have: &[&str]| wanted.is_empty() || wanted.iter().any(|w| have.iter().any(|h| h == w));
        let attribute = |key: &str| event.attributes.get(key).map_or("", String::as_str);
        let label = |l: &String| match l.split_once('=') {
            Some((k, v)) => event.attributes.get(k).is_some_and(|have| have == v),
            None => event.attributes.contains_key(l),
        };
        let of_container = self.containers.is_empty()
            || (kind == "container"
                && self.containers.iter().any(|c| event.actor.starts_with(c.as_str()) || attribute("name") == c));
        one_of(&self.types, &[kind])
            && one_of(&self.actions, &[action])
            && of_container
            && one_of(&self.images, &[event.actor.as_str(), attribute("image"), attribute("name")])
            && self.labels.iter().all(label)
    }
}

/// Events as they happen.
#[derive(Debug)]
pub struct EventStream {
    filter: EventFilter,
    past: VecDeque<Event>,
    live: broadcast::Receiver<Event>,
}

impl EventStream {
    /// The next event that the filter wants; none when `until` has passed or the engine ends.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.past.pop_front() {
                if self.filter.matches(&event) {
                    return Some(event);
                }
                continue;
            }
            let now = crate::engine::now_ms();
            let left = match self.filter.until_ms {
                Some(until) if until <= now => return None,
                Some(until) => std::time::Duration::from_millis(until - now),
                None => std::time::Duration::from_secs(3600),
            };
            match tokio::time::timeout(left, self.live.recv()).await {
                Ok(Ok(event)) if self.filter.matches(&event) => return Some(event),
                // A slow client loses events rather than holding up the engine.
                Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) | Err(_) => {}
                Ok(Err(broadcast::error::RecvError::Closed)) => return None,
            }
        }
    }
}

/// Where events come from.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    kept: Arc<Mutex<VecDeque<Event>>>,
    live: broadcast::Sender<Event>,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self { kept: Arc::default(), live: broadcast::Sender::new(KEPT) }
    }

    pub(crate) fn publish(&self, kind: &str, actor: &str, attributes: BTreeMap<String, String>) -> Event {
        let event =
            Event { kind: kind.to_owned(), actor: actor.to_owned(), time_ms: crate::engine::now_ms(), attributes };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(event.clone());
        // Sent under the lock, so that a subscriber sees each event once: among the kept ones or live.
        let _ = self.live.send(event.clone());
        event
    }

    fn subscribe(&self, filter: EventFilter) -> EventStream {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let past = match filter.since_ms {
            Some(since) => kept.iter().filter(|e| e.time_ms >= since).cloned().collect(),
            None => VecDeque::new(),
        };
        EventStream { filter, past, live: self.live.subscribe() }
    }
}

impl Engine {
    /// Events from now on, or from `since` as far as they are still known.
    pub async fn events(&self, filter: EventFilter) -> Result<EventStream, EngineError> {
        Ok(self.inner.events.subscribe(filter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watcher_sees_past_and_coming_events_once() {
        let events = Events::new();
        events.publish("container.create", "c1", BTreeMap::new());
        let filter = EventFilter { since_ms: Some(0), types: vec!["container".into()], ..Default::default() };
        let mut stream = events.subscribe(filter);
        events.publish("image.pull", "i1", BTreeMap::new());
        events.publish("container.start", "c1", BTreeMap::new());
        assert_eq!(stream.next().await.unwrap().kind, "container.create");
        assert_eq!(stream.next().await.unwrap().kind, "container.start");
    }

    #[test]
    fn filters_read_labels_with_and_without_value() {
        let event = Event {
            kind: "container.start".into(),
            actor: "abc".into(),
            time_ms: 1,
            attributes: BTreeMap::from([("k".into(), "v".into()), ("name".into(), "web".into())]),
        };
        let with = |labels: &[&str], containers: &[&str]| EventFilter {
            labels: labels.iter().map(|s| s.to_string()).collect(),
            containers: containers.iter().map(|s| s.to_string()).collect(),
            ..Default::default()
        };
        assert!(with(&["k"], &[]).matches(&event) && with(&["k=v"], &["web"]).matches(&event));
        assert!(!with(&["k=x"], &[]).matches(&event) && !with(&[], &["other"]).matches(&event));
    }
}
