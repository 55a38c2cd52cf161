//! The image's `passwd` and `group` files: opened beneath the root, capped, and parsed line by line.
//! Knows no rule about who is chosen.

use super::UserError;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;
use std::{fs::File, io::Read, os::fd::BorrowedFd};

pub(super) const PASSWD: &str = "/etc/passwd";
pub(super) const GROUP: &str = "/etc/group";

/// An account file is read up to here; a larger one is refused.
const MAX_SIZE: u64 = 10 << 20;

/// One line of `passwd`.
pub(super) struct User<'a> {
    pub(super) name: &'a [u8],
    pub(super) uid: i64,
    pub(super) gid: i64,
    pub(super) home: &'a [u8],
}

/// One line of `group`.
pub(super) struct Group<'a> {
    pub(super) name: &'a [u8],
    pub(super) gid: i64,
    members: &'a [u8],
}

impl Group<'_> {
    pub(super) fn has(&self, user: &[u8]) -> bool {
        !user.is_empty() && self.members.split(|b| *b == b',').any(|m| m.trim_ascii() == user)
    }
}

/// Both files' contents.
pub(super) struct Accounts<'a> {
    passwd: &'a [u8],
    group: &'a [u8],
}

impl<'a> Accounts<'a> {
    pub(super) fn new(passwd: &'a [u8], group: &'a [u8]) -> Self {
        Self { passwd, group }
    }

    /// `name:password:uid:gid:comment:home:shell`, the last three optional.
    pub(super) fn users(&self) -> impl Iterator<Item = User<'a>> {
        lines(self.passwd).filter_map(|line| {
            let mut fields = line.split(|b| *b == b':');
            let (name, _password) = (fields.next()?, fields.next()?);
            let (uid, gid) = (id(fields.next()?)?, id(fields.next()?)?);
            let home = fields.nth(1).unwrap_or_default();
            Some(User { name, uid, gid, home })
        })
    }

    /// `name:password:gid:member,member`, the members optional.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group<'a>> {
        lines(self.group).filter_map(|line| {
            let mut fields = line.split(|b| *b == b':');
            let (name, _password) = (fields.next()?, fields.next()?);
            Some(Group { name, gid: id(fields.next()?)?, members: fields.next().unwrap_or_default() })
        })
    }
}

fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty() && !l.starts_with(b"#"))
}

fn id(field: &[u8]) -> Option<i64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// The content of `path` beneath `root`; empty where it, or its folder, is missing.
pub(super) fn read(root: BorrowedFd<'_>, path: &'static str) -> Result<Vec<u8>, UserError> {
    let failed = |e: Errno| UserError::Read { path, source: e.into() };
    // Not blocking and no terminal: the image may have put a FIFO or a device there.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut tries = 0;
    let fd = loop {
        match openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS) {
            Ok(fd) => break fd,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
            // A rename elsewhere raced the resolution.
            Err(Errno::AGAIN | Errno::INTR) if tries < 128 => tries += 1,
            Err(e) => return Err(failed(e)),
        }
    };
    if FileType::from_raw_mode(fstat(&fd).map_err(failed)?.st_mode) != FileType::RegularFile {
        return Err(UserError::BadFile { path, problem: "is no regular file" });
    }
    let mut content = Vec::new();
    let got = File::from(fd).take(MAX_SIZE + 1).read_to_end(&mut content);
    let size = got.map_err(|source| UserError::Read { path, source })?;
    if size as u64 > MAX_SIZE {
        return Err(UserError::BadFile { path, problem: "is larger than 10 MiB" });
    }
    Ok(content)
}
