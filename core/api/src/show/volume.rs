//! A volume.

use super::time::rfc3339;
use davit_engine::VolumeDetails;
use serde_json::{Value, json};

/// A volume as a client reads it.
pub(crate) fn volume(details: &VolumeDetails) -> Value {
    let record = &details.record;
    json!({
        "Name": record.name,
        "Driver": "local",
        "Mountpoint": details.mountpoint,
        "CreatedAt": rfc3339(Some(record.created)),
        "Labels": record.labels,
        "Scope": "local",
        "Options": {},
    })
}
