//! The sockets that clients come in through, by the words of `-H`.

use anyhow::{Context as _, Error, Result, bail};
use davit_api::{ListenError, Listener};
use nix::unistd::Group;
use std::path::{Path, PathBuf};

/// Most bytes of a socket's path: `sun_path` without its end, and without the `.new` that it is made as.
const LONGEST: usize = 103;

/// A listener with its path, which goes when the daemon ends; none for a socket of systemd's.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) listener: Listener,
    pub(crate) path: Option<PathBuf>,
}

/// Opens what `address` names.
pub(crate) async fn open(address: &str, group: Option<&str>) -> Result<Vec<Listening>> {
    if let Some(path) = address.strip_prefix("unix://") {
        return Ok(vec![unix(Path::new(path), group).await?]);
    }
    if address.starts_with("fd://") {
        return systemd();
    }
    if address.starts_with("tcp://") {
        bail!("{address}: listening on TCP needs mutual TLS, which this version does not have; use unix:// or ssh");
    }
    bail!("{address} is no address to listen on; there are unix:///path and fd://")
}

async fn unix(path: &Path, group: Option<&str>) -> Result<Listening> {
    if !path.is_absolute() {
        bail!("unix://{}: the path of a socket must be absolute", path.display());
    }
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    }
    let group = group.map(group_id).transpose()?;
    if path.is_dir() {
        bail!("unix://{}: it is a folder; name the socket in it, such as davit.sock", path.display());
    }
    if path.as_os_str().len() > LONGEST {
        bail!("unix://{}: a socket's path has at most {LONGEST} bytes; give a shorter one with -H", path.display());
    }
    let listener = davit_api::listen(path, group).await.map_err(|e| match e {
        ListenError::InUse { .. } => Error::new(e).context("end the other daemon first, or give another -H"),
        ListenError::Failed { .. } => Error::new(e).context("give another -H"),
    })?;
    Ok(Listening { listener, path: Some(path.to_owned()) })
}

fn group_id(name: &str) -> Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let found = Group::from_name(name).with_context(|| format!("looking up the group {name}"))?;
    Ok(found.with_context(|| format!("there is no group {name}; make it with: groupadd {name}"))?.gid.as_raw())
}

fn systemd() -> Result<Vec<Listening>> {
    let mut passed = listenfd::ListenFd::from_env();
    let mut all = Vec::new();
    for index in 0..passed.len() {
        let listener = passed.take_unix_listener(index);
        let Some(listener) = listener.context("fd://: a socket of systemd's is no unix stream socket")? else {
            continue;
        };
        listener.set_nonblocking(true).context("fd://: a socket of systemd's")?;
        let listener = tokio::net::UnixListener::from_std(listener).context("fd://: a socket of systemd's")?;
        all.push(Listening { listener: Listener::Unix(listener), path: None });
    }
    if all.is_empty() {
        bail!("fd://: systemd passed no socket; start davitd through its socket unit, or give -H unix:///path");
    }
    Ok(all)
}
