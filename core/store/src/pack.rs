//! A directory tree as a layer archive: for `davit build` and for tests. The order is by name and the format PAX, so
//! that the same tree gives the same bytes, and so the same digest. Blocking; links are never followed.

use crate::{
    dirs::{BENEATH, DIR, names},
    error::{IoContext, Result, StoreError},
};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use std::{
    collections::HashMap,
    ffi::CStr,
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};
use tar::{EntryType, Header};

const BLOCK: u64 = 512;

/// Writes everything beneath `root` (not `root` itself) to `out`, with owners, modes, times to the second, hard links,
/// devices and the attributes that unpacking keeps. Sockets are left out: no archive can hold them.
pub fn pack(root: BorrowedFd<'_>, out: &mut impl Write) -> Result<()> {
    let root = root.try_clone_to_owned().doing("duplicate", "the tree")?;
    let mut pack = Pack { root, out, links: HashMap::new() };
    // Paths instead of recursion: depth costs neither stack nor descriptors.
    let mut waiting = vec![Vec::new()];
    while let Some(path) = waiting.pop() {
        if !path.is_empty() {
            pack.folder(&path)?;
        }
        let dir = pack.open(&path)?;
        let mut children = names(&dir)?;
        children.sort();
        let mut folders = Vec::new();
        for name in &children {
            let child = if path.is_empty() {
                name.to_bytes().to_vec()
            } else {
                [path.as_slice(), b"/", name.to_bytes()].concat()
            };
            if pack.entry(&dir, name, &child)? {
                folders.push(child);
            }
        }
        waiting.extend(folders.into_iter().rev());
    }
    pack.out.write_all(&[0; 1024]).doing("write", "a layer archive")
}

struct Pack<'a, W> {
    root: OwnedFd,
    out: &'a mut W,
    /// First names of files with several, by device and inode.
    links: HashMap<(u64, u64), Vec<u8>>,
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().take(200).collect()
}

/// Long texts and large numbers of one entry, as PAX records.
#[derive(Default)]
struct Records(Vec<u8>);

impl Records {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while rest + length.to_string().len() != length {
            length = rest + length.to_string().len();
        }
        self.0.extend(length.to_string().into_bytes());
        self.0.extend([b" ".as_slice(), key, b"=", value, b"\n"].concat());
    }
}

impl<W: Write> Pack<'_, W> {
    fn open(&self, path: &[u8]) -> Result<OwnedFd> {
        let at = if path.is_empty() { b".".as_slice() } else { path };
        rustix::fs::openat2(&self.root, at, DIR, Mode::empty(), BENEATH).doing("open folder", shown(path))
    }

    fn folder(&mut self, path: &[u8]) -> Result<()> {
        let dir = self.open(path)?;
        let stat = rustix::fs::fstat(&dir).doing("look at", shown(path))?;
        let attributes = attributes(&dir, c".")?;
        self.header(EntryType::Directory, &[path, b"/"].concat(), b"", 0, &stat, attributes)
    }

    /// Writes an entry that is no folder; says whether it is one.
    fn entry(&mut self, dir: &OwnedFd, name: &CStr, path: &[u8]) -> Result<bool> {
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).doing("look at", shown(path))?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => return Ok(true),
            FileType::RegularFile => EntryType::Regular,
            FileType::Symlink => EntryType::Symlink,
            FileType::Fifo => EntryType::Fifo,
            FileType::CharacterDevice => EntryType::Char,
            FileType::BlockDevice => EntryType::Block,
            _ => return Ok(false),
        };
        if stat.st_nlink > 1 {
            if let Some(first) = self.links.get(&(stat.st_dev, stat.st_ino)).cloned() {
                self.header(EntryType::Link, path, &first, 0, &stat, Vec::new())?;
                return Ok(false);
            }
            self.links.insert((stat.st_dev, stat.st_ino), path.to_vec());
        }
        match kind {
            EntryType::Regular => self.file(dir, name, path)?,
            EntryType::Symlink => {
                let target = rustix::fs::readlinkat(dir, name, Vec::new()).doing("read link", shown(path))?;
                self.header(kind, path, target.to_bytes(), 0, &stat, Vec::new())?;
            }
            _ => self.header(kind, path, b"", 0, &stat, Vec::new())?,
        }
        Ok(false)
    }

    fn file(&mut self, dir: &OwnedFd, name: &CStr, path: &[u8]) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::openat(dir, name, flags, Mode::empty()).doing("open", shown(path))?);
        // Of the file that is open, not of the name that was looked at before.
        let stat = rustix::fs::fstat(&file).doing("look at", shown(path))?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        self.header(EntryType::Regular, path, b"", size, &stat, attributes(dir, name)?)?;
        let copied = io::copy(&mut file.take(size), &mut self.out).doing("pack", shown(path))?;
        if copied != size {
            return Err(StoreError::WrongSize { object: shown(path), want: size, got: copied });
        }
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> Result<()> {
        let padding = (BLOCK - size % BLOCK) % BLOCK;
        io::copy(&mut io::repeat(0).take(padding), &mut self.out).doing("write", "a layer archive")?;
        Ok(())
    }

    fn header(
        &mut self,
        kind: EntryType,
        path: &[u8],
        link: &[u8],
        size: u64,
        stat: &Stat,
        attributes: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<()> {
        let mut records = Records::default();
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(stat.st_mode & 0o7777);
        let old = header.as_old_mut();
        fill(&mut old.name, path, "path", &mut records);
        fill(&mut old.linkname, link, "linkpath", &mut records);
        // What a field of octal digits cannot hold stands in a record, and the field is zero.
        let mut number = |key: &str, value: u64, bits: u32| {
            if value >> bits == 0 {
                return value;
            }
            records.add(key.as_bytes(), value.to_string().as_bytes());
            0
        };
        header.set_uid(number("uid", stat.st_uid.into(), 21));
        header.set_gid(number("gid", stat.st_gid.into(), 21));
        header.set_size(number("size", size, 33));
        match u64::try_from(stat.st_mtime) {
            Ok(seconds) => header.set_mtime(number("mtime", seconds, 33)),
            Err(_) => {
                records.add(b"mtime", stat.st_mtime.to_string().as_bytes());
                header.set_mtime(0);
            }
        }
        if matches!(kind, EntryType::Char | EntryType::Block) {
            let invalid = |e| StoreError::io("pack", shown(path), e);
            header.set_device_major(rustix::fs::major(stat.st_rdev)).map_err(invalid)?;
            header.set_device_minor(rustix::fs::minor(stat.st_rdev)).map_err(invalid)?;
        }
        for (name, value) in attributes {
            records.add(&[b"SCHILY.xattr.".as_slice(), &name].concat(), &value);
        }
        let write = |out: &mut W, bytes: &[u8]| out.write_all(bytes).doing("write", "a layer archive");
        if !records.0.is_empty() {
            let length = u64::try_from(records.0.len()).unwrap_or(0);
            let mut extension = Header::new_ustar();
            extension.set_entry_type(EntryType::XHeader);
            extension.set_mode(0o644);
            extension.set_size(length);
            fill(&mut extension.as_old_mut().name, b"PaxHeaders/entry", "path", &mut Records::default());
            extension.set_cksum();
            write(self.out, extension.as_bytes())?;
            write(self.out, &records.0)?;
            self.pad(length)?;
        }
        header.set_cksum();
        write(self.out, header.as_bytes())
    }
}

/// A text into its field; one that is too long goes into a record, and the field holds its beginning.
fn fill(field: &mut [u8; 100], text: &[u8], key: &str, records: &mut Records) {
    if text.len() > field.len() {
        records.add(key.as_bytes(), text);
    }
    for (place, byte) in field.iter_mut().zip(text) {
        *place = *byte;
    }
}

/// The attributes that unpacking would keep, by name.
fn attributes(dir: &OwnedFd, name: &CStr) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let fd = dir.as_fd().as_raw_fd().to_string();
    let path = [b"/proc/self/fd/", fd.as_bytes(), b"/", name.to_bytes()].concat();
    crate::unpack::kept_xattrs(&path, &name.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::digest;
    use std::{os::unix::fs::MetadataExt, path::Path};

    fn packed(root: &Path) -> Vec<u8> {
        let mut out = Vec::new();
        pack(File::open(root).unwrap().as_fd(), &mut out).unwrap();
        out
    }

    fn tree(root: &Path) {
        std::fs::create_dir_all(root.join("b/c")).unwrap();
        std::fs::write(root.join("b/c/file"), vec![3; 1000]).unwrap();
        std::fs::hard_link(root.join("b/c/file"), root.join("hard")).unwrap();
        std::os::unix::fs::symlink("b/c/file", root.join("a")).unwrap();
        let long = root.join("n".repeat(150));
        std::fs::write(&long, "long").unwrap();
        std::os::unix::fs::chown(&long, Some(3_000_000_000), Some(9)).unwrap();
        rustix::fs::setxattr(&long, "user.note", b"x", rustix::fs::XattrFlags::empty()).unwrap();
        rustix::fs::setxattr(&long, "trusted.secret", b"x", rustix::fs::XattrFlags::empty()).unwrap();
        let time = rustix::fs::Timespec { tv_sec: 77, tv_nsec: 0 };
        let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
        for name in ["a", "b/c/file", "b/c", "b", &"n".repeat(150)] {
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::utimensat(rustix::fs::CWD, root.join(name), &times, flags).unwrap();
        }
    }

    #[test]
    fn the_same_tree_gives_the_same_bytes() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tree(one.path());
        tree(two.path());
        assert_eq!(digest(&packed(one.path())), digest(&packed(two.path())));
    }

    #[test]
    fn gnu_tar_reads_what_we_pack() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tree(from.path());
        let file = to.path().join("a.tar");
        std::fs::write(&file, packed(from.path())).unwrap();
        let out = to.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let mut tar = std::process::Command::new("tar");
        tar.args(["--xattrs", "--numeric-owner", "-xpf"]).arg(&file).arg("-C").arg(&out);
        assert!(tar.status().unwrap().success());
        let long = "n".repeat(150);
        for name in ["a", "b", "b/c", "b/c/file", "hard", long.as_str()] {
            let look = |root: &Path| {
                let m = std::fs::symlink_metadata(root.join(name)).unwrap();
                let nlink = if m.is_dir() { 0 } else { m.nlink() };
                (m.mode(), m.uid(), m.gid(), m.mtime(), nlink)
            };
            assert_eq!(look(from.path()), look(&out), "{name}");
        }
        let mut value = [0; 8];
        assert_eq!(rustix::fs::getxattr(out.join(&long), "user.note", &mut value[..]), Ok(1));
        assert_eq!(std::fs::read(out.join("hard")).unwrap(), vec![3; 1000]);
    }
}
