//! A layer archive made real beneath a folder's descriptor. Blocking; knows no driver and no record.
//!
//! A walk: [`names`] makes an entry's path safe, [`tree`] opens parents by descriptor and never follows a link,
//! [`whiteout`] writes deletions in the driver's style, [`node`] makes files, folders, links and devices, [`xattr`]
//! holds the table of attributes that are kept. Modification times of folders are set last. Folders that the archive
//! only implies get the looks of the nearest lower layer once that is known: [`adopt_implied`].

mod implied;
mod names;
mod node;
mod tree;
mod whiteout;
mod xattr;

pub use crate::archive::input::Limits;
pub(crate) use implied::adopt_implied;
pub(crate) use xattr::{copy as copy_xattrs, kept_xattrs};

use crate::{
    archive::{Archive, Entry, Kind, input::Input},
    error::{Result, StoreError},
};
use davit_model::{digest::Digest, storage::WhiteoutStyle};
use names::Name;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    os::fd::BorrowedFd,
    sync::{Arc, atomic::AtomicBool},
};
use tree::Tree;

/// What an unpacked layer turned out to be.
#[derive(Debug)]
pub struct Unpacked {
    /// Digest of the uncompressed stream, trailing padding included.
    pub diff_id: Digest,
    /// Bytes of file content.
    pub size: u64,
    /// Folders that entries stand in but the archive does not describe.
    pub implied: Vec<Vec<u8>>,
}

/// How to unpack.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the manifest says that the archive is: its compression must be the one that it begins with.
    pub media_type: String,
    /// How deletions are written.
    pub whiteouts: WhiteoutStyle,
    /// What it may cost.
    pub limits: Limits,
    /// Set by whoever no longer wants it.
    pub cancel: Arc<AtomicBool>,
}

/// State of one unpacking.
struct Unpack<'a> {
    tree: Tree<'a>,
    style: WhiteoutStyle,
    /// Every path that this layer has written: what stands there is not the lower layer's.
    written: BTreeSet<Vec<u8>>,
    /// Whiteouts that this layer has written, in the styles that write them.
    deleted: BTreeSet<Vec<u8>>,
    /// Folders' times, set at the end.
    times: BTreeMap<Vec<u8>, (i64, u32)>,
    size: u64,
}

/// Unpacks `source` into `into`. What was made stays there on an error: the caller discards the whole place.
pub fn unpack(into: BorrowedFd<'_>, source: Box<dyn Read + Send>, options: &Options) -> Result<Unpacked> {
    let input = Input::new(source, &options.media_type, options.limits, options.cancel.clone())?;
    let mut archive = Archive::new(input);
    let mut state = Unpack {
        tree: Tree::new(into),
        style: options.whiteouts,
        written: BTreeSet::new(),
        deleted: BTreeSet::new(),
        times: BTreeMap::new(),
        size: 0,
    };
    let mut entries = 0u64;
    while let Some(entry) = archive.entry()? {
        entries += 1;
        if entries > options.limits.entries {
            return Err(StoreError::archive(format!("more than {} entries", options.limits.entries)));
        }
        state.entry(&entry, &mut archive)?;
    }
    for (path, mtime) in std::mem::take(&mut state.times) {
        state.tree.set_dir_time(&path, mtime)?;
    }
    let (diff_id, _) = archive.into_input().finish()?;
    Ok(Unpacked { diff_id, size: state.size, implied: state.tree.implied() })
}

impl Unpack<'_> {
    fn entry(&mut self, entry: &Entry, data: &mut impl Read) -> Result<()> {
        match Name::of(&entry.path)? {
            Name::Root if entry.kind == Kind::Directory => {
                let root = self.tree.root()?;
                node::dress_dir(&root, true, entry)?;
                self.times.insert(Vec::new(), entry.mtime);
                Ok(())
            }
            Name::Root => Err(StoreError::archive("an entry that is no folder has the name of the root")),
            Name::Ignored => Ok(()),
            Name::Opaque(dir) => self.opaque(&dir),
            Name::Whiteout(path) => self.whiteout(&path),
            Name::Plain(path) => self.plain(path, entry, data),
        }
    }

    fn plain(&mut self, path: Vec<u8>, entry: &Entry, data: &mut impl Read) -> Result<()> {
        let (parent, name) = self.tree.parent(&path, &self.written, &mut self.deleted)?;
        self.settle()?;
        let there = crate::dirs::kind(&parent, &name)?;
        let merges = there == Some(rustix::fs::FileType::Directory) && entry.kind == Kind::Directory;
        let over_whiteout = self.deleted.remove(&path);
        if there.is_some() && !merges {
            self.forget_below(&path);
            crate::dirs::remove_tree(&parent, &name)?;
        }
        self.times.remove(&path);
        match entry.kind {
            Kind::Directory => {
                let dir = node::directory(&parent, &name, merges, entry)?;
                if over_whiteout {
                    // The lower folder of that name was deleted: its contents must not show through.
                    whiteout::mark_opaque(&dir, self.style)?;
                }
                self.times.insert(path.clone(), entry.mtime);
                self.tree.described(&path);
            }
            Kind::Regular => {
                node::regular(&parent, &name, entry, data)?;
                self.size = self.size.saturating_add(entry.size);
            }
            Kind::Hardlink => {
                let target = match Name::of(&entry.link)? {
                    Name::Plain(target) => target,
                    _ => return Err(node::refused(entry, "its hard link's target is no file")),
                };
                let (dir, target_name) = self.tree.existing_parent(&target).map_err(|e| node::link_error(entry, e))?;
                node::hardlink(&dir, &target_name, &parent, &name, entry)?;
            }
            Kind::Symlink => node::symlink(&parent, &name, entry)?,
            Kind::Fifo | Kind::CharDevice | Kind::BlockDevice => node::special(&parent, &name, entry)?,
        }
        self.written.insert(path);
        Ok(())
    }

    /// Something goes that may have been a folder: what was remembered of its inside goes, too.
    fn forget_below(&mut self, path: &[u8]) {
        self.tree.forget(path);
        self.times.remove(path);
        self.written.remove(path);
        tree::remove_below(&mut self.written, path);
        tree::remove_below(&mut self.deleted, path);
        let prefix = [path, b"/"].concat();
        while let Some((key, _)) = self.times.range(prefix.clone()..).next().filter(|(k, _)| k.starts_with(&prefix)) {
            let key = key.clone();
            self.times.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
