//! Zone files: what the resolver knows of one network, written by the engine and read again on every change.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    io::Write,
    net::{IpAddr, SocketAddr},
    path::Path,
};

/// A network's names. In JSON in `<exec-root>/zones/<network>.zone`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Zone {
    /// Where the resolver listens for this network: its gateways. Port 53.
    pub listen: Vec<IpAddr>,
    /// Names, without a final dot, in any case, and the addresses that they stand for.
    pub names: BTreeMap<String, Vec<IpAddr>>,
    /// Whom to ask for every other name, in this order; none: other names do not exist.
    pub upstream: Vec<SocketAddr>,
}

impl Zone {
    /// Writes the zone beside its place and renames it there; the resolver sees the whole of it or nothing.
    /// `network` is one file name.
    pub fn write(&self, zones: &Path, network: &str) -> io::Result<()> {
        let place = zones.join(file_name(network)?);
        let beside = zones.join(format!(".{network}.{}", std::process::id()));
        let mut file = fs::File::create(&beside)?;
        let done = serde_json::to_writer(&mut file, self)
            .map_err(io::Error::from)
            .and_then(|()| file.flush())
            .and_then(|()| fs::rename(&beside, &place));
        if done.is_err() {
            let _ = fs::remove_file(&beside);
        }
        done
    }

    /// Removes what writers that were killed have left beside the zones; for when nobody writes.
    pub fn clear_unfinished(zones: &Path) -> io::Result<()> {
        for entry in fs::read_dir(zones)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Removes a network's zone; fine where there is none.
    pub fn remove(zones: &Path, network: &str) -> io::Result<()> {
        match fs::remove_file(zones.join(file_name(network)?)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

fn file_name(network: &str) -> io::Result<String> {
    if network.is_empty() || network.contains(['/', '\0']) || network.starts_with('.') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{network:?} is no network's name")));
    }
    Ok(format!("{network}.zone"))
}
