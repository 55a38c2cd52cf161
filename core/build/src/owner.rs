//! `--chown=user[:group]`: numbers, or names of the image's own files; never this machine's.

use crate::tree::{Kind, Links, Tree};
use std::io;

/// More than any file of users needs.
const LIMIT: u64 = 4 << 20;

/// Why an owner is none.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// A name that the image does not know.
    #[error("{name:?} is not in the image's {file}")]
    Unknown {
        /// The name.
        name: String,
        /// The file.
        file: &'static str,
    },
    /// The image's file cannot be read.
    #[error("the image's {file} cannot be read: {source}")]
    Read {
        /// The file.
        file: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Nothing at all.
    #[error("an owner is user or user:group")]
    Malformed,
}

/// The user and the group. Without a group it is the number of the user.
pub(crate) fn resolve(tree: &Tree, text: &str) -> Result<(u64, u64), OwnerError> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|g| !g.is_empty())),
        None => (text, None),
    };
    if user.is_empty() {
        return Err(OwnerError::Malformed);
    }
    let uid = id(tree, user, "/etc/passwd")?;
    let gid = group.map_or(Ok(uid), |g| id(tree, g, "/etc/group"))?;
    Ok((uid, gid))
}

fn id(tree: &Tree, name: &str, file: &'static str) -> Result<u64, OwnerError> {
    if let Ok(number) = name.parse::<u32>() {
        return Ok(u64::from(number));
    }
    let unknown = || OwnerError::Unknown { name: name.chars().take(100).collect(), file };
    let path = tree.resolve(file.as_bytes(), Links::Rooted, true).map_err(|_| unknown())?;
    let Some(Kind::File(content)) = tree.get(&path).map(|n| &n.kind) else { return Err(unknown()) };
    let bytes = content.bytes(LIMIT).map_err(|source| OwnerError::Read { file, source })?;
    let text = String::from_utf8_lossy(&bytes);
    // passwd and group have the name first and the number third.
    let mut numbers = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let fits = fields.next()? == name;
        fields.nth(1).filter(|_| fits)?.trim().parse::<u32>().ok()
    });
    numbers.next().map(u64::from).ok_or_else(unknown)
}
