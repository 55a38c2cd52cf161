//! An event, with the fields that clients before 1.52 read beside the newer ones.

use davit_model::lifecycle::Event;
use serde_json::{Value, json};

/// An event as a client reads it.
pub(crate) fn event(event: &Event) -> Value {
    let (kind, action) = event.kind.split_once('.').unwrap_or((event.kind.as_str(), ""));
    let mut shown = json!({
        "Type": kind,
        "Action": action,
        "Actor": {"ID": event.actor, "Attributes": event.attributes},
        "scope": "local",
        "time": event.time_ms / 1000,
        "timeNano": event.time_ms.saturating_mul(1_000_000),
    });
    if let (Some(fields), true) = (shown.as_object_mut(), matches!(kind, "container" | "image")) {
        fields.insert("status".to_owned(), json!(action));
        fields.insert("id".to_owned(), json!(event.actor));
        if let Some(image) = event.attributes.get("image") {
            fields.insert("from".to_owned(), json!(image));
        }
    }
    shown
}
