//! One layer written: a tar archive whose bytes follow from what is put into it and nothing else, so that the same files
//! on the same parent are the same layer, whoever builds it and when. That is the build cache: content has one address.
//!
//! Entries stand in the order in which they are put. Owners are numbers, times are the files' own (none later than
//! `SOURCE_DATE_EPOCH`), folders that the builder makes are of 1970. Long names and attributes are PAX records. Blocking.

use crate::tree::{Content, Kind, Node, Path, Tree, name_of, parent_of, shown};
use davit_model::digest::Digest;
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::ffi::OsStrExt,
};

/// A finished layer.
#[derive(Debug)]
pub(crate) struct Archive {
    /// The archive, not compressed.
    pub(crate) file: File,
    /// Its digest.
    pub(crate) diff_id: Digest,
    /// Its bytes.
    pub(crate) size: u64,
}

/// Why something cannot be put into a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The archive cannot be written, or a file's bytes not be read.
    #[error("{path:?} cannot be written: {source}")]
    Write {
        /// What was put.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The name stands for a whiteout in layers.
    #[error("{0:?}: names that begin with \".wh.\" mean removal in an image's layer")]
    Whiteout(String),
    /// A folder is there.
    #[error("{0:?} is a folder already, and is not replaced by a file")]
    FolderThere(String),
    /// Something else is there.
    #[error("{0:?} exists and is not a folder")]
    NotAFolder(String),
}

/// A layer in the making, upon the tree of what is beneath.
pub(crate) struct Writer {
    tar: tar::Builder<Hashing>,
    tree: Tree,
    written: BTreeSet<Path>,
    /// Files by what they were where they come from: a second name of one is a hard link.
    names: HashMap<u64, Path>,
    epoch: Option<u64>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("written", &self.written.len()).finish_non_exhaustive()
    }
}

impl Writer {
    /// `file` is empty; no time is later than `epoch`.
    pub(crate) fn new(file: File, beneath: Tree, epoch: Option<u64>) -> Self {
        let out = Hashing { file: BufWriter::with_capacity(1 << 17, file), hash: Sha256::new(), size: 0 };
        Self { tar: tar::Builder::new(out), tree: beneath, written: BTreeSet::new(), names: HashMap::new(), epoch }
    }

    /// The tree as it is by now.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Makes a folder with all that it lies in, where it is not there yet.
    pub(crate) fn folder(&mut self, path: &[u8], owner: (u64, u64)) -> Result<(), LayerError> {
        if self.tree.is_folder(path) {
            return Ok(());
        }
        let node = Node { uid: owner.0, gid: owner.1, ..Node::folder(0) };
        self.put(path.to_vec(), node, owner)
    }

    /// Puts something at a path; folders on the way that are missing are made, of `owner`.
    pub(crate) fn put(&mut self, path: Path, node: Node, owner: (u64, u64)) -> Result<(), LayerError> {
        if path.split(|b| *b == b'/').any(|part| part.starts_with(b".wh.")) {
            return Err(LayerError::Whiteout(shown(&path)));
        }
        match (self.tree.get(&path), self.tree.is_folder(&path)) {
            (_, true) if !node.is_folder() => return Err(LayerError::FolderThere(shown(&path))),
            (Some(_), false) if node.is_folder() => return Err(LayerError::NotAFolder(shown(&path))),
            _ => {}
        }
        self.ways(&path, owner)?;
        self.write(path, node)
    }

    /// The folders on the way. One that is beneath is said again as it is there, so that no reader has to guess.
    fn ways(&mut self, path: &[u8], owner: (u64, u64)) -> Result<(), LayerError> {
        let mut missing = Vec::new();
        let mut at = parent_of(path);
        while let Some(folder) = at.filter(|f| !f.is_empty() && !self.written.contains(*f)) {
            missing.push(folder.to_vec());
            at = parent_of(folder);
        }
        for folder in missing.into_iter().rev() {
            let node = match self.tree.get(&folder) {
                Some(node) if node.is_folder() => node.clone(),
                Some(_) => return Err(LayerError::NotAFolder(shown(&folder))),
                None => Node { uid: owner.0, gid: owner.1, ..Node::folder(0) },
            };
            self.write(folder, node)?;
        }
        Ok(())
    }

    fn write(&mut self, path: Path, mut node: Node) -> Result<(), LayerError> {
        let link = self.other_name(&path, &node);
        let written = self.entry(&path, &node, link.as_deref());
        written.map_err(|source| LayerError::Write { path: shown(&path), source })?;
        if let Kind::File(content) = &mut node.kind {
            // What was written is a file of its own from here on, or another name of one that is.
            let there = link.as_ref().and_then(|link| self.tree.get(link)).map(|n| &n.kind);
            let own = match there {
                Some(Kind::File(there)) => there.clone(),
                _ => content.copied(),
            };
            self.names.entry(content.inode()).or_insert_with(|| path.clone());
            *content = own;
        }
        self.written.insert(path.clone());
        self.tree.insert(path, node);
        Ok(())
    }

    fn entry(&mut self, path: &[u8], node: &Node, other: Option<&[u8]>) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_mode(node.mode);
        header.set_uid(node.uid);
        header.set_gid(node.gid);
        header.set_mtime(self.epoch.map_or(node.mtime, |epoch| node.mtime.min(epoch)));
        header.set_size(0);
        let mut records: Vec<(String, Vec<u8>)> = node.xattrs.clone();
        let mut name = path.to_vec();
        let mut link: Option<Vec<u8>> = None;
        let mut content: Option<&Content> = None;
        match &node.kind {
            Kind::Folder => {
                header.set_entry_type(tar::EntryType::Directory);
                name.push(b'/');
            }
            Kind::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                link = Some(target.clone());
            }
            Kind::File(bytes) => match other {
                Some(other) => {
                    header.set_entry_type(tar::EntryType::Link);
                    link = Some(other.to_vec());
                }
                None => {
                    header.set_entry_type(tar::EntryType::Regular);
                    header.set_size(bytes.size);
                    content = Some(bytes);
                }
            },
            Kind::Other(what) => return Err(io::Error::new(io::ErrorKind::Unsupported, format!("it is {what}"))),
        }
        if header.set_path(std::path::Path::new(std::ffi::OsStr::from_bytes(&name))).is_err() {
            // Too long for the header: the record counts, the header gets what fits of the last part.
            let short = name_of(path).get(..60).unwrap_or(name_of(path));
            header.set_path(std::path::Path::new(std::ffi::OsStr::from_bytes(short)))?;
            records.push(("path".to_owned(), name));
        }
        if let Some(link) = link
            && header.set_link_name_literal(&link).is_err()
        {
            records.push(("linkpath".to_owned(), link));
        }
        header.set_cksum();
        if !records.is_empty() {
            self.tar.append_pax_extensions(records.iter().map(|(k, v)| (k.as_str(), v.as_slice())))?;
        }
        match content {
            Some(content) => self.tar.append(&header, content.reader()?),
            None => self.tar.append(&header, io::empty()),
        }
    }

    /// A name in this layer of the same file, with the same owner, mode and time.
    fn other_name(&self, path: &[u8], node: &Node) -> Option<Path> {
        let Kind::File(content) = &node.kind else { return None };
        let other = self.names.get(&content.inode()).filter(|other| other.as_slice() != path)?;
        let there = self.tree.get(other).filter(|n| matches!(n.kind, Kind::File(_)))?;
        let same = (there.mode, there.uid, there.gid, there.mtime) == (node.mode, node.uid, node.gid, node.mtime);
        (same && there.xattrs == node.xattrs).then(|| other.clone())
    }

    /// The tree with the layer upon it, and the layer; none where nothing was put.
    pub(crate) fn finish(self) -> io::Result<(Tree, Option<Archive>)> {
        let Self { tar, tree, written, .. } = self;
        if written.is_empty() {
            return Ok((tree, None));
        }
        let Hashing { file, hash, size } = tar.into_inner()?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((tree, Some(Archive { file, diff_id: Digest::sha256(&hash.finalize().into()), size })))
    }
}

/// Writes, and knows the digest of what it wrote.
struct Hashing {
    file: BufWriter<File>,
    hash: Sha256,
    size: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
