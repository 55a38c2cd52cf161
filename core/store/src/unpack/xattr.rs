//! Extended attributes: which of an archive's are kept.

use crate::{
    archive::Kind,
    error::{IoContext, Result, StoreError},
};
use rustix::{fs::XattrFlags, io::Errno};
use std::{
    ffi::CStr,
    os::fd::{AsFd, AsRawFd},
};

/// What becomes of an attribute whose name begins so; the first line that fits counts.
const TABLE: &[(&[u8], bool)] = &[
    // overlayfs's own words: an archive must not speak to the kernel's overlay.
    (b"user.overlay.", false),
    (b"trusted.", false),
    (b"security.capability", true),
    // Labels and measurements of the machine that made the archive.
    (b"security.", false),
    // ACLs name users of other machines.
    (b"system.", false),
    (b"user.", true),
];

/// Whether an archive's attribute is kept. `user.*` exists on files and folders only (xattr(7)).
pub(super) fn kept(name: &[u8], kind: Kind) -> bool {
    let keep = TABLE.iter().find(|(prefix, _)| name.starts_with(prefix)).is_some_and(|(_, keep)| *keep);
    let holds_user = matches!(kind, Kind::Regular | Kind::Directory);
    keep && !name.contains(&0) && (holds_user || !name.starts_with(b"user."))
}

/// Sets those of an entry's attributes that are kept.
pub(super) fn set(fd: impl AsFd, kind: Kind, xattrs: &[(Vec<u8>, Vec<u8>)], shown: &str) -> Result<()> {
    for (name, value) in xattrs.iter().filter(|(name, _)| kept(name, kind)) {
        rustix::fs::fsetxattr(&fd, name.as_slice(), value, XattrFlags::empty())
            .doing("set an attribute of", shown.to_owned())?;
    }
    Ok(())
}

/// Takes away what an earlier entry of that name, or a lower layer, had set.
pub(super) fn clear(fd: impl AsFd, kind: Kind, shown: &str) -> Result<()> {
    let mut list = vec![0; 1 << 16];
    let length = match rustix::fs::flistxattr(&fd, list.as_mut_slice()) {
        Err(Errno::OPNOTSUPP) => 0,
        listed => listed.doing("list the attributes of", shown.to_owned())?,
    };
    for name in list.get(..length).unwrap_or_default().split(|b| *b == 0).filter(|n| kept(n, kind)) {
        rustix::fs::fremovexattr(&fd, name).doing("remove an attribute of", shown.to_owned())?;
    }
    Ok(())
}

/// Copies a lower folder's kept attributes: not the overlay's own.
pub(super) fn adopt(from: impl AsFd, to: impl AsFd, shown: &str) -> Result<()> {
    let mut list = vec![0; 1 << 16];
    let length = match rustix::fs::flistxattr(&from, list.as_mut_slice()) {
        Err(Errno::OPNOTSUPP) => 0,
        listed => listed.doing("list the attributes of", shown.to_owned())?,
    };
    let mut value = vec![0; 1 << 16];
    for name in list.get(..length).unwrap_or_default().split(|b| *b == 0).filter(|n| kept(n, Kind::Directory)) {
        let size =
            rustix::fs::fgetxattr(&from, name, value.as_mut_slice()).doing("read an attribute of", shown.to_owned())?;
        rustix::fs::fsetxattr(&to, name, value.get(..size).unwrap_or_default(), XattrFlags::empty())
            .doing("set an attribute of", shown.to_owned())?;
    }
    Ok(())
}

/// The attributes of a path's own that are kept, by name.
pub(crate) fn kept_xattrs(path: &[u8], shown: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut list = vec![0; 1 << 16];
    let length = match rustix::fs::llistxattr(path, list.as_mut_slice()) {
        Err(Errno::OPNOTSUPP) => 0,
        listed => listed.doing("list the attributes of", shown.to_owned())?,
    };
    let mut names: Vec<&[u8]> = list.get(..length).unwrap_or_default().split(|b| *b == 0).collect();
    names.retain(|n| kept(n, Kind::Regular));
    names.sort_unstable();
    let mut found = Vec::new();
    for name in names {
        let mut value = vec![0; 1 << 16];
        let size =
            rustix::fs::lgetxattr(path, name, value.as_mut_slice()).doing("read an attribute of", shown.to_owned())?;
        value.truncate(size);
        found.push((name.to_vec(), value));
    }
    Ok(found)
}

/// Copies every attribute, whatever its name: for trees of our own.
pub(crate) fn copy(from: impl AsFd, from_name: &CStr, to: impl AsFd, to_name: &CStr) -> Result<()> {
    // By way of the folder's descriptor: a link itself cannot be opened for its attributes.
    let path = |fd: i32, name: &CStr| [b"/proc/self/fd/", fd.to_string().as_bytes(), b"/", name.to_bytes()].concat();
    let source = path(from.as_fd().as_raw_fd(), from_name);
    let target = path(to.as_fd().as_raw_fd(), to_name);
    let shown = || from_name.to_string_lossy().into_owned();
    let mut small = [0; 1024];
    let mut large = Vec::new();
    let list = match rustix::fs::llistxattr(source.as_slice(), &mut small) {
        Ok(length) => small.get(..length).unwrap_or_default(),
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(Errno::RANGE) => {
            large.resize(1 << 16, 0);
            let length =
                rustix::fs::llistxattr(source.as_slice(), large.as_mut_slice()).doing("list attributes of", shown())?;
            large.get(..length).unwrap_or_default()
        }
        Err(e) => return Err(StoreError::io("list the attributes of", shown(), e)),
    };
    let mut value = Vec::new();
    for name in list.split(|b| *b == 0).filter(|n| !n.is_empty()) {
        value.resize(1 << 16, 0);
        let length = rustix::fs::lgetxattr(source.as_slice(), name, value.as_mut_slice())
            .doing("read an attribute of", shown())?;
        rustix::fs::lsetxattr(target.as_slice(), name, value.get(..length).unwrap_or_default(), XattrFlags::empty())
            .doing("set an attribute of", shown())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_keeps_capabilities_and_users_own_and_nothing_that_speaks_to_the_kernel() {
        for name in ["security.capability", "user.a", "user.overlayish"] {
            assert!(kept(name.as_bytes(), Kind::Regular), "{name}");
        }
        for name in
            ["trusted.overlay.opaque", "user.overlay.opaque", "security.selinux", "system.posix_acl_access", "x"]
        {
            assert!(!kept(name.as_bytes(), Kind::Regular), "{name}");
        }
        assert!(!kept(b"user.a", Kind::Symlink));
    }
}
