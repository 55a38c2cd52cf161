//! A container in a list (`ps`).

use super::{container::mount, settings, time::since};
use crate::failure::ApiError;
use davit_engine::record::{ContainerRecord, Status};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A container's line.
pub(crate) fn summary(record: &ContainerRecord, now: Timestamp) -> Result<Value, ApiError> {
    let network = settings::network_name(record);
    let mounts: Vec<Value> = record.mounts.iter().map(mount).collect();
    Ok(json!({
        "Id": record.id.as_str(),
        "Names": [format!("/{}", record.name)],
        "Image": record.spec.image,
        "ImageID": record.image.to_string(),
        "Command": command(&record.process.args),
        "Created": record.created.as_second(),
        "Ports": settings::port_list(record)?,
        "Labels": record.labels,
        "State": record.state.status.as_str(),
        "Status": status(record, now),
        "HostConfig": {"NetworkMode": network},
        "NetworkSettings": {"Networks": { network: settings::endpoint(record) }},
        "Mounts": mounts,
    }))
}

/// The words for a state: `Up 5 seconds`, `Exited (0) 2 hours ago`.
fn status(record: &ContainerRecord, now: Timestamp) -> String {
    let state = &record.state;
    let ago = |time: Option<Timestamp>| since(time.unwrap_or(now), now);
    match state.status {
        Status::Created => "Created".to_owned(),
        Status::Running => format!("Up {}", ago(state.started)),
        Status::Paused => format!("Up {} (Paused)", ago(state.started)),
        Status::Restarting => format!("Restarting ({}) {} ago", state.exit_code, ago(state.finished)),
        Status::Removing => "Removal In Progress".to_owned(),
        Status::Exited => format!("Exited ({}) {} ago", state.exit_code, ago(state.finished)),
        Status::Dead => "Dead".to_owned(),
    }
}

/// The command as one line; words with a space in quotes.
fn command(args: &[String]) -> String {
    let mut words = args.iter();
    let mut line = words.next().cloned().unwrap_or_default();
    for word in words {
        line.push(' ');
        if word.contains(' ') {
            line.push_str(&format!("'{word}'"));
        } else {
            line.push_str(word);
        }
    }
    line
}
