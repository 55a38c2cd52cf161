//! A tree of files that exists in archives only: the build context, an image's layers on each other, an archive that
//! `ADD` unpacks. Nothing of it is ever on a file system of this machine, so no name in it can leave it: names are looked
//! up in an index, links are followed in the index, bytes are read from the archive at the place that the index says.

mod archive;
mod path;
mod resolve;

pub use archive::ArchiveError;
pub(crate) use archive::{Compression, Content, Spool, plain};
pub(crate) use path::{Path, join, name_of, parent_of, shown};
pub(crate) use resolve::Links;
pub use resolve::ResolveError;

use archive::Item;
use std::collections::BTreeMap;

/// One file, folder or link. Times are seconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) mtime: u64,
    /// Extended attributes, as the archive has them (`SCHILY.xattr.…`).
    pub(crate) xattrs: Vec<(String, Vec<u8>)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Folder,
    File(Content),
    /// A symbolic link and what it says.
    Link(Vec<u8>),
    /// What this builder does not copy: a device, a pipe, a sparse file.
    Other(&'static str),
}

impl Node {
    /// A folder of root's.
    pub(crate) fn folder(mtime: u64) -> Self {
        Self { kind: Kind::Folder, mode: 0o755, uid: 0, gid: 0, mtime, xattrs: Vec::new() }
    }

    pub(crate) fn is_folder(&self) -> bool {
        matches!(self.kind, Kind::Folder)
    }
}

/// Paths and what is there. The root itself has no entry unless an archive has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree(BTreeMap<Path, Node>);

impl Tree {
    /// Lays one more archive upon the tree; whiteouts take away what is beneath (OCI image-spec, layer.md).
    pub(crate) fn lay(&mut self, spool: &Spool) -> Result<(), ArchiveError> {
        let items = archive::read(spool, true)?;
        for (path, item) in &items {
            match item {
                Item::Whiteout => self.remove(path),
                Item::Opaque => self.remove_within(path),
                Item::Node(_) => {}
            }
        }
        for (path, item) in items {
            if let Item::Node(node) = item {
                self.insert(path, node);
            }
        }
        Ok(())
    }

    /// The tree of one archive that is no layer: a name that stands for a whiteout is a name.
    pub(crate) fn of(spool: &Spool) -> Result<Self, ArchiveError> {
        let mut tree = Self::default();
        for (path, item) in archive::read(spool, false)? {
            if let Item::Node(node) = item {
                tree.insert(path, node);
            }
        }
        Ok(tree)
    }

    /// What is at a path, links not followed.
    pub(crate) fn get(&self, path: &[u8]) -> Option<&Node> {
        self.0.get(path)
    }

    /// Whether a folder is there: said by an entry, or by something within it.
    pub(crate) fn is_folder(&self, path: &[u8]) -> bool {
        match self.get(path) {
            Some(node) => node.is_folder(),
            None => path.is_empty() || self.within(path).next().is_some(),
        }
    }

    /// Everything below a folder, parents before children.
    pub(crate) fn within<'a>(&'a self, folder: &[u8]) -> impl Iterator<Item = (&'a Path, &'a Node)> + use<'a> {
        let (mut from, mut to) = (folder.to_vec(), folder.to_vec());
        if !folder.is_empty() {
            from.push(b'/');
            // The next character after the slash ends what begins with it.
            to.push(b'/' + 1);
        }
        let upper = if folder.is_empty() { std::ops::Bound::Unbounded } else { std::ops::Bound::Excluded(to) };
        self.0.range((std::ops::Bound::Included(from), upper)).filter(|(path, _)| !path.is_empty())
    }

    /// All paths in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Path, &Node)> {
        self.0.iter()
    }

    /// Keeps what `wanted` says.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&[u8]) -> bool) {
        self.0.retain(|path, _| wanted(path));
    }

    /// Puts something at a path. What is no folder any more loses what was within it.
    pub(crate) fn insert(&mut self, path: Path, node: Node) {
        if !node.is_folder() {
            self.remove_within(&path);
        }
        self.0.insert(path, node);
    }

    fn remove(&mut self, path: &[u8]) {
        self.remove_within(path);
        self.0.remove(path);
    }

    fn remove_within(&mut self, folder: &[u8]) {
        let gone: Vec<Path> = self.within(folder).map(|(path, _)| path.clone()).collect();
        for path in gone {
            self.0.remove(&path);
        }
    }
}
