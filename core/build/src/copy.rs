//! `COPY` and `ADD`: from one tree into a layer. Blocking; no name leaves a tree.

use crate::{
    layer::{LayerError, Writer},
    pattern::{Pattern, PatternError},
    tree::{
        ArchiveError, Compression, Content, Kind, Links, Node, Path, ResolveError, Spool, Tree, join, name_of,
        parent_of, plain, shown,
    },
};
use std::{fs::File, io, io::Read};

/// What a `COPY` or `ADD` wants, its variables replaced.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Patterns.
    pub(crate) sources: Vec<String>,
    /// An absolute path, with a slash at its end where it must be a folder.
    pub(crate) dest: String,
    /// Where links of the sources may lead.
    pub(crate) links: Links,
    /// The owner of everything; none: root.
    pub(crate) owner: Option<(u64, u64)>,
    /// The mode of everything; none: as it is.
    pub(crate) mode: Option<u32>,
    /// `ADD`: archives are unpacked.
    pub(crate) unpack: bool,
}

/// Why something was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// No file of that name, or none that fits.
    #[error("no such file in {place}: {name:?}")]
    NotFound {
        /// Where it was looked for.
        place: &'static str,
        /// As written.
        name: String,
    },
    /// Several sources and a destination that is no folder.
    #[error("with more than one source the destination must be a folder and end with a slash: {0:?}")]
    Many(String),
    /// A folder where a file was wanted.
    #[error("{path:?} is {what}, which is not copied")]
    Kind {
        /// The source.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// A source that leads elsewhere.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The layer.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// A source that would be unpacked and cannot be.
    #[error("{path:?} cannot be unpacked (COPY copies it as it is): {source}")]
    Unpack {
        /// The archive.
        path: String,
        /// Why.
        source: ArchiveError,
    },
    /// A file cannot be read.
    #[error("{path:?} cannot be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// Copies; `scratch` makes files for archives that are unpacked.
pub(crate) fn copy(
    from: &Tree,
    into: &mut Writer,
    request: &Request,
    scratch: &dyn Fn() -> io::Result<File>,
) -> Result<(), CopyError> {
    let mut found = Vec::new();
    for source in &request.sources {
        matching(from, source, request.links, &mut found)?;
    }
    let ends_as_folder = request.dest.ends_with('/');
    if found.len() > 1 && !ends_as_folder {
        return Err(CopyError::Many(request.dest.clone()));
    }
    let owner = request.owner.unwrap_or((0, 0));
    let followed = into.tree().resolve(request.dest.as_bytes(), Links::Rooted, true)?;
    let is_folder = ends_as_folder || into.tree().is_folder(&followed);
    for (name, path) in found {
        let node = from.get(&path);
        match node.map(|n| &n.kind) {
            None | Some(Kind::Folder) => {
                folder(into, &followed, node, request)?;
                contents(from, &path, into, &followed, request, false)?;
            }
            Some(Kind::File(content)) => {
                let node = node.cloned().unwrap_or_else(|| Node::folder(0));
                let archive = if request.unpack { archive(content, &name, scratch)? } else { None };
                if let Some(archive) = archive {
                    into.folder(&followed, owner)?;
                    contents(&archive, b"", into, &followed, request, true)?;
                    continue;
                }
                let target = if is_folder {
                    // The name as it was asked for, also where it is a link to another.
                    join(&followed, name_of(name.as_bytes()))
                } else {
                    // A link at the destination is replaced, not followed: it leads to no folder.
                    into.tree().resolve(request.dest.as_bytes(), Links::Rooted, false)?
                };
                into.put(target, dressed(node, request, false), owner)?;
            }
            Some(Kind::Other(what)) => return Err(CopyError::Kind { path: name, what }),
            Some(Kind::Link(_)) => return Err(CopyError::Kind { path: name, what: "a link to nothing" }),
        }
    }
    Ok(())
}

/// The sources that a pattern stands for: as named, and as found once links are followed.
fn matching(from: &Tree, source: &str, links: Links, found: &mut Vec<(String, Path)>) -> Result<(), CopyError> {
    let place = if links == Links::Confined { "the build context" } else { "the stage or image" };
    let missing = || CopyError::NotFound { place, name: source.to_owned() };
    let pattern = Pattern::glob(source.trim_start_matches('/').trim_end_matches('/'))?;
    if pattern.is_literal() {
        let name = pattern.literal();
        let path = from.resolve(name.as_bytes(), links, true)?;
        if from.get(&path).is_none() && !from.is_folder(&path) {
            return Err(missing());
        }
        found.push((name, path));
        return Ok(());
    }
    let before = found.len();
    for (path, _) in from.iter() {
        let name = String::from_utf8_lossy(path);
        if pattern.matches(&name) {
            let resolved = from.resolve(path, links, true)?;
            if from.get(&resolved).is_none() {
                return Err(CopyError::NotFound { place, name: name.into_owned() });
            }
            found.push((name.into_owned(), resolved));
        }
    }
    if found.len() == before { Err(missing()) } else { Ok(()) }
}

/// The folder that a folder's contents go to: as its source where it is new, left as it is where it is not.
fn folder(into: &mut Writer, dest: &[u8], source: Option<&Node>, request: &Request) -> Result<(), CopyError> {
    let owner = request.owner.unwrap_or((0, 0));
    match source.filter(|_| !into.tree().is_folder(dest)) {
        Some(node) => Ok(into.put(dest.to_vec(), dressed(node.clone(), request, false), owner)?),
        None => Ok(into.folder(dest, owner)?),
    }
}

/// Copies what is within a folder.
fn contents(
    from: &Tree,
    folder: &[u8],
    into: &mut Writer,
    dest: &[u8],
    request: &Request,
    own: bool,
) -> Result<(), CopyError> {
    let skip = if folder.is_empty() { 0 } else { folder.len() + 1 };
    for (path, node) in from.within(folder) {
        if let Kind::Other(what) = node.kind {
            return Err(CopyError::Kind { path: shown(path), what });
        }
        let rest = path.get(skip..).unwrap_or_default();
        // A folder's place may be a link in what is beneath, as /lib is to /usr/lib: the contents go where it leads.
        let parent = join(dest, parent_of(rest).unwrap_or_default());
        let target = join(&into.tree().resolve(&parent, Links::Rooted, true)?, name_of(rest));
        if node.is_folder() {
            let followed = into.tree().resolve(&target, Links::Rooted, true)?;
            if followed != target && into.tree().is_folder(&followed) {
                continue;
            }
        }
        into.put(target, dressed(node.clone(), request, own), request.owner.unwrap_or((0, 0)))?;
    }
    Ok(())
}

/// With the owner and mode that were asked for. `own`: owners of an unpacked archive are kept.
fn dressed(mut node: Node, request: &Request, own: bool) -> Node {
    if let Some((uid, gid)) = request.owner.or((!own).then_some((0, 0))) {
        (node.uid, node.gid) = (uid, gid);
    }
    if let (Some(mode), false) = (request.mode, matches!(node.kind, Kind::Link(_))) {
        node.mode = mode;
    }
    node
}

/// What an archive holds; none where the file is none, as `ADD` tells them: by content, never by name.
fn archive(content: &Content, name: &str, scratch: &dyn Fn() -> io::Result<File>) -> Result<Option<Tree>, CopyError> {
    let unreadable = |source| CopyError::Read { path: name.to_owned(), source };
    let mut head = Vec::new();
    content.reader().map_err(unreadable)?.take(512).read_to_end(&mut head).map_err(unreadable)?;
    let compressed = Compression::of(&head) != Compression::None;
    if !compressed && !is_tar(&head) {
        return Ok(None);
    }
    let unpack = || -> Result<Option<Tree>, ArchiveError> {
        let mut file = scratch()?;
        io::copy(&mut content.reader()?, &mut file)?;
        let file = plain(file, scratch)?;
        let mut head = vec![0; 512];
        let read = std::os::unix::fs::FileExt::read_at(&file, &mut head, 0)?;
        // Compressed, and no archive: copied as it is.
        if !is_tar(head.get(..read).unwrap_or_default()) {
            return Ok(None);
        }
        Tree::of(&Spool::ready(file)).map(Some)
    };
    unpack().map_err(|source| CopyError::Unpack { path: name.to_owned(), source })
}

/// Whether the first 512 bytes are a tar header: its checksum says so.
fn is_tar(head: &[u8]) -> bool {
    let (Some(before), Some(field), Some(after)) = (head.get(..148), head.get(148..156), head.get(156..512)) else {
        return false;
    };
    let said = std::str::from_utf8(field).ok().map(|f| f.trim_matches(|c: char| c == '\0' || c.is_whitespace()));
    let Some(said) = said.and_then(|f| u32::from_str_radix(f, 8).ok()) else { return false };
    let sum: u32 = before.iter().chain(after).map(|b| u32::from(*b)).sum();
    // The field itself counts as eight spaces.
    said == sum + 8 * 32
}
