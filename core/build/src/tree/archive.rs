//! Tar archives read into an index. Blocking; bytes of files are read later, at their place.

use super::{
    Kind, Node,
    path::{Path, checked, name_of, parent_of, push, shown},
};
use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::FileExt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// What the index of one archive may hold; an archive of more is an attack or a mistake.
const ENTRIES: usize = 2_000_000;
const XATTR: &str = "SCHILY.xattr.";

/// Why an archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Cannot be read, or is no archive.
    #[error("the archive cannot be read: {0}")]
    Read(#[from] io::Error),
    /// A name that climbs or is malformed.
    #[error("the name {0:?} leads out of the archive")]
    Name(String),
    /// A hard link to nothing.
    #[error("the hard link {link:?} names {target:?}, which is no file before it")]
    HardLink {
        /// The link.
        link: String,
        /// What it names.
        target: String,
    },
    /// Something beneath a file or a link.
    #[error("{0:?} lies beneath something that is not a folder")]
    Beneath(String),
    /// Too many entries.
    #[error("it holds more than {ENTRIES} entries")]
    Entries,
}

type Open = Box<dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync>;
type Scratch = Box<dyn Fn() -> io::Result<File> + Send + Sync>;

/// An archive, not compressed, in a file without a name. One that lies elsewhere is read as a stream for its index, and
/// comes into a file when bytes of it are wanted.
#[derive(Clone)]
pub(crate) struct Spool(Arc<Inner>);

struct Inner {
    file: OnceLock<File>,
    elsewhere: Option<(Open, Scratch)>,
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("ready", &self.0.file.get().is_some()).finish()
    }
}

impl Spool {
    /// Of a file that is there.
    pub(crate) fn ready(file: File) -> Self {
        Self(Arc::new(Inner { file: OnceLock::from(file), elsewhere: None }))
    }

    /// Of an archive that `open` reads from its beginning, compressed or not, and that comes into a file of `scratch`.
    pub(crate) fn elsewhere(
        open: impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static,
        scratch: impl Fn() -> io::Result<File> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner { file: OnceLock::new(), elsewhere: Some((Box::new(open), Box::new(scratch))) }))
    }

    /// From the beginning; no reader disturbs another.
    fn stream(&self) -> io::Result<Box<dyn Read + '_>> {
        match (self.0.file.get(), &self.0.elsewhere) {
            (None, Some((open, _))) => uncompressed(open()?),
            _ => {
                let file = self.file()?;
                Ok(Box::new(Window { file, at: 0, left: file.metadata()?.len() }))
            }
        }
    }

    fn file(&self) -> io::Result<&File> {
        if let Some(file) = self.0.file.get() {
            return Ok(file);
        }
        let (open, scratch) = self.0.elsewhere.as_ref().ok_or_else(|| io::Error::other("an archive without a file"))?;
        let mut file = scratch()?;
        io::copy(&mut uncompressed(open()?)?, &mut file)?;
        Ok(self.0.file.get_or_init(|| file))
    }
}

/// The bytes of a file: a place in an archive.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    spool: Spool,
    offset: u64,
    pub(crate) size: u64,
    /// Names of the same number are hard links of one file.
    inode: u64,
}

impl Content {
    /// The same for all names of one file.
    pub(crate) fn inode(&self) -> u64 {
        self.inode
    }

    /// The same bytes as another file: a copy.
    pub(crate) fn copied(&self) -> Self {
        Self { inode: next_inode(), ..self.clone() }
    }

    /// Reads it from the beginning. Shorter than `size` only where the archive changed: an error.
    pub(crate) fn reader(&self) -> io::Result<impl Read + '_> {
        Ok(Window { file: self.spool.file()?, at: self.offset, left: self.size })
    }

    /// All of it, where it is not longer than `limit`.
    pub(crate) fn bytes(&self, limit: u64) -> io::Result<Vec<u8>> {
        if self.size > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {limit} bytes")));
        }
        let mut bytes = Vec::new();
        self.reader()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

fn next_inode() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

struct Window<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..want).filter(|b| !b.is_empty()) else { return Ok(0) };
        let read = self.file.read_at(buffer, self.at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

/// One entry of an archive.
#[derive(Debug)]
pub(super) enum Item {
    Node(Node),
    /// `.wh.name`: what is beneath at this path is gone.
    Whiteout,
    /// `.wh..wh..opq`: what is beneath within this path is gone.
    Opaque,
}

/// Reads an archive's entries. `layer` understands whiteouts.
pub(super) fn read(spool: &Spool, layer: bool) -> Result<Vec<(Path, Item)>, ArchiveError> {
    let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 17, spool.stream()?));
    let mut items: Vec<(Path, Item)> = Vec::new();
    // The last entry of a name counts, and hard links name an entry before them.
    let mut at: HashMap<Path, usize> = HashMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        if items.len() >= ENTRIES {
            return Err(ArchiveError::Entries);
        }
        let name = entry.path_bytes().into_owned();
        let path = checked(&name).ok_or_else(|| ArchiveError::Name(shown(&name)))?;
        // The context of a client has relative names; layers of some tools begin with a slash.
        if !layer && name.starts_with(b"/") {
            return Err(ArchiveError::Name(shown(&name)));
        }
        if layer && let Some(whiteout) = whiteout(&path) {
            items.push(whiteout);
            continue;
        }
        if beneath_a_file(&items, &at, &path) {
            return Err(ArchiveError::Beneath(shown(&path)));
        }
        let Some(node) = node(&mut entry, spool, &path, &items, &at)? else { continue };
        at.insert(path.clone(), items.len());
        items.push((path, Item::Node(node)));
    }
    Ok(items)
}

fn whiteout(path: &[u8]) -> Option<(Path, Item)> {
    let parent = parent_of(path)?.to_vec();
    match name_of(path).strip_prefix(b".wh.")? {
        b".wh..opq" => Some((parent, Item::Opaque)),
        name => {
            let mut path = parent;
            push(&mut path, name);
            Some((path, Item::Whiteout))
        }
    }
}

/// Whether the archive's own entries put the path beneath something that is no folder.
fn beneath_a_file(items: &[(Path, Item)], at: &HashMap<Path, usize>, path: &[u8]) -> bool {
    let mut parent = parent_of(path);
    while let Some(folder) = parent {
        if let Some((_, Item::Node(node))) = at.get(folder).and_then(|i| items.get(*i)) {
            // Whoever put the folder there was checked already.
            return !node.is_folder();
        }
        parent = parent_of(folder);
    }
    false
}

/// None for entries that are no files: global headers.
fn node<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    spool: &Spool,
    path: &[u8],
    items: &[(Path, Item)],
    at: &HashMap<Path, usize>,
) -> Result<Option<Node>, ArchiveError> {
    use tar::EntryType;
    let mut xattrs = Vec::new();
    let mut sparse = false;
    if let Some(extensions) = entry.pax_extensions()? {
        for extension in extensions {
            let extension = extension?;
            let Ok(key) = extension.key() else { continue };
            sparse |= key.starts_with("GNU.sparse.");
            if key.starts_with(XATTR) {
                xattrs.push((key.to_owned(), extension.value_bytes().to_vec()));
            }
        }
    }
    let header = entry.header();
    let kind = match header.entry_type() {
        EntryType::XGlobalHeader => return Ok(None),
        EntryType::Directory => Kind::Folder,
        EntryType::Symlink => Kind::Link(entry.link_name_bytes().map(|n| n.into_owned()).unwrap_or_default()),
        EntryType::Link => {
            let target = entry.link_name_bytes().map(|n| n.into_owned()).unwrap_or_default();
            let before = checked(&target).and_then(|t| at.get(&t)).and_then(|i| items.get(*i));
            return match before {
                Some((_, Item::Node(node))) if !node.is_folder() => Ok(Some(node.clone())),
                _ => Err(ArchiveError::HardLink { link: shown(path), target: shown(&target) }),
            };
        }
        EntryType::Regular | EntryType::Continuous if !sparse => {
            let (offset, size) = (entry.raw_file_position(), entry.size());
            Kind::File(Content { spool: spool.clone(), offset, size, inode: next_inode() })
        }
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::Other("a sparse file"),
        EntryType::Char | EntryType::Block => Kind::Other("a device"),
        EntryType::Fifo => Kind::Other("a pipe"),
        _ => Kind::Other("of an unknown type"),
    };
    Ok(Some(Node {
        kind,
        mode: header.mode()? & 0o7777,
        uid: header.uid()?,
        gid: header.gid()?,
        mtime: header.mtime()?,
        xattrs,
    }))
}

fn uncompressed(source: Box<dyn Read + Send>) -> io::Result<Box<dyn Read>> {
    let mut source = BufReader::with_capacity(1 << 17, source);
    let compression = Compression::of(source.fill_buf()?);
    compression.read(source)
}

/// How an archive is compressed: by its first bytes, never by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
    /// bzip2 or xz.
    Unsupported,
}

impl Compression {
    pub(crate) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', b'X', b'Z', ..] => Self::Unsupported,
            _ => Self::None,
        }
    }

    /// The bytes as they were before.
    fn read<'a>(self, source: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
        match self {
            Self::None => Ok(Box::new(source)),
            Self::Gzip => Ok(Box::new(flate2::bufread::MultiGzDecoder::new(source))),
            Self::Zstd => Ok(Box::new(zstd::stream::read::Decoder::with_buffer(source)?)),
            Self::Unsupported => {
                let why = "archives in bzip2 and xz are not supported: use gzip or zstd";
                Err(io::Error::new(io::ErrorKind::Unsupported, why))
            }
        }
    }
}

/// A file's bytes without compression, in a file from `scratch`; the file itself where it has none.
pub(crate) fn plain(file: File, scratch: impl FnOnce() -> io::Result<File>) -> io::Result<File> {
    let mut head = [0; 8];
    let read = file.read_at(&mut head, 0)?;
    let compression = Compression::of(head.get(..read).unwrap_or_default());
    if compression == Compression::None {
        return Ok(file);
    }
    let window = Window { left: file.metadata()?.len(), file: &file, at: 0 };
    let mut plain = scratch()?;
    io::copy(&mut compression.read(BufReader::with_capacity(1 << 17, window))?, &mut plain)?;
    Ok(plain)
}
