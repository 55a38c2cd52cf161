//! Plugins and components as `/davit/v1` shows them.

use davit_api_types::v1;
use davit_engine::{
    plugins::{
        PluginDetails,
        record::{ComponentRecord, PluginVersion},
    },
    policy::AskedRight,
};

/// A plugin.
pub(crate) fn plugin(details: PluginDetails) -> v1::Plugin {
    let PluginDetails { name, loaded, record, used_as, calls } = details;
    let state = match (&loaded, &record) {
        (Some(_), _) => "in use",
        (None, Some(record)) if !record.enabled => "disabled",
        (None, _) => "enabled",
    };
    let mut shown = v1::Plugin {
        name,
        state: state.to_owned(),
        installed: record.is_some(),
        used_as,
        calls: v1::Calls {
            answered: calls.answered,
            refused: calls.refused,
            failed: calls.failed,
            total_us: u64::try_from(calls.total.as_micros()).unwrap_or(u64::MAX),
            longest_us: u64::try_from(calls.longest.as_micros()).unwrap_or(u64::MAX),
        },
        ..v1::Plugin::default()
    };
    if let Some(record) = record {
        let current = record.current;
        (shown.version, shown.digest) = (current.version, current.component.to_string());
        (shown.kinds, shown.source) = (current.kinds, current.source);
        (shown.asks, shown.granted) = (rights(current.asks), current.granted.into_iter().collect());
        shown.previous = record.previous.into_iter().map(version).collect();
        shown.held = record.held.map(version);
        shown.failure = record.failure.map(|f| v1::PluginFailure {
            version: f.version,
            digest: f.component.to_string(),
            reason: f.why,
            at: f.at.to_string(),
        });
    }
    // What is loaded is what is in force, whatever was installed.
    if let Some(loaded) = loaded {
        (shown.version, shown.digest, shown.kinds) = (loaded.version, loaded.digest, loaded.kinds);
        (shown.source, shown.asks, shown.granted) = (loaded.source, rights(loaded.asks), loaded.grants);
    }
    shown
}

/// A component.
pub(crate) fn component(record: ComponentRecord) -> v1::Component {
    v1::Component {
        digest: record.digest.to_string(),
        size: record.size,
        source: record.source,
        name: record.inspected.name,
        version: record.inspected.version,
        kinds: record.inspected.kinds,
        imports: record.inspected.imports,
        asks: rights(record.inspected.asks),
    }
}

fn version(version: PluginVersion) -> v1::PluginVersion {
    v1::PluginVersion {
        version: version.version,
        digest: version.component.to_string(),
        source: version.source,
        asks: rights(version.asks),
        granted: version.granted.into_iter().collect(),
        more: version.more.into_iter().collect(),
        since: version.since.to_string(),
    }
}

fn rights(asks: Vec<AskedRight>) -> Vec<v1::Right> {
    asks.into_iter().map(|a| v1::Right { right: a.right, means: a.means, why: a.why }).collect()
}
