//! Who a container's process is: a `user[:group]` specification against the image's own account files.
//!
//! The rules are those of Docker (`GetExecUser` of moby/sys): a number is always an id; the first matching line wins;
//! an unknown number is used as it is, with group 0; supplementary groups are looked up only where no group was named.
//! Stricter than there: a line whose ids do not parse is no line (there it counts as id 0), and the files are read
//! beneath the container's root by descriptor, capped in size. It never asks libc, whose answers are the host's.

mod account;

use account::{Accounts, Group};
use std::os::fd::BorrowedFd;

/// The largest id that is accepted; above it, an `int` somewhere would wrap (CVE-2024-40635).
pub const MAX_ID: u32 = i32::MAX as u32;

/// What a process runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// All that `setgroups` gets: the primary group first, then supplementary ones, without repetition.
    pub groups: Vec<u32>,
    /// Home folder from the image's `passwd`; `/` where it says none.
    pub home: String,
}

/// Why a specification names nobody.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// A name that the image does not know.
    #[error("unable to find user {0}: no matching entries in passwd file")]
    NoUser(String),
    /// A group that the image does not know.
    #[error("unable to find group {0}: no matching entries in group file")]
    NoGroup(String),
    /// An id outside 0 to [`MAX_ID`].
    #[error("uids and gids must be in range 0-{MAX_ID}: {0}")]
    Range(String),
    /// An account file that cannot be read.
    #[error("read {path} in the container's root")]
    Read {
        /// Its path in the container.
        path: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An account file that is no regular file, or too large.
    #[error("{path} in the container's root {problem}")]
    BadFile {
        /// Its path in the container.
        path: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Resolves `spec` (`""`, `user`, `user:group`, `:group`; names or numbers) and `extra_groups` (names or numbers)
/// against `/etc/passwd` and `/etc/group` beneath `root`. Either file may be missing: numbers still work.
pub fn resolve(root: BorrowedFd<'_>, spec: &str, extra_groups: &[String]) -> Result<Identity, UserError> {
    let passwd = account::read(root, account::PASSWD)?;
    let group = account::read(root, account::GROUP)?;
    identify(&Accounts::new(&passwd, &group), spec, extra_groups)
}

fn identify(accounts: &Accounts<'_>, spec: &str, extra_groups: &[String]) -> Result<Identity, UserError> {
    let mut parts = spec.trim().split(':');
    let (user, group) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());

    let wanted = if user.is_empty() { Some(0) } else { number(user) };
    let entry = accounts.users().find(|u| match wanted {
        Some(id) => u.uid == id,
        None => u.name == user.as_bytes(),
    });
    let uid = match (&entry, wanted) {
        (Some(u), _) => in_range(u.uid)?,
        (None, Some(id)) => in_range(id)?,
        (None, None) => return Err(UserError::NoUser(user.to_owned())),
    };
    let home = entry.as_ref().and_then(|u| std::str::from_utf8(u.home).ok()).filter(|h| !h.is_empty()).unwrap_or("/");

    let mut groups = Vec::new();
    let gid =
        if group.is_empty() { entry.as_ref().map_or(Ok(0), |u| in_range(u.gid))? } else { group_id(accounts, group)? };
    groups.push(gid);
    if let (Some(u), true) = (&entry, group.is_empty()) {
        for g in accounts.groups().filter(|g| g.has(u.name)) {
            groups.push(in_range(g.gid)?);
        }
    }
    for name in extra_groups {
        groups.push(group_id(accounts, name)?);
    }
    let mut seen = std::collections::BTreeSet::new();
    groups.retain(|g| seen.insert(*g));
    Ok(Identity { uid, gid, groups, home: home.to_owned() })
}

fn group_id(accounts: &Accounts<'_>, name: &str) -> Result<u32, UserError> {
    let id = match number(name) {
        Some(id) => Some(id),
        None => accounts.groups().find(|g: &Group<'_>| g.name == name.as_bytes()).map(|g| g.gid),
    };
    in_range(id.ok_or_else(|| UserError::NoGroup(name.to_owned()))?)
}

/// A decimal number as Go's `Atoi` takes it: an optional sign, digits, 64 bits. Beyond 64 bits it is a name.
fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

fn in_range(id: i64) -> Result<u32, UserError> {
    u32::try_from(id).ok().filter(|id| *id <= MAX_ID).ok_or_else(|| UserError::Range(id.to_string()))
}

#[cfg(test)]
mod tests;
