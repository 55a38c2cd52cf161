//! The build context: the client's archive, without what `.dockerignore` takes out, and the Dockerfile in it.

use crate::{
    error::{BuildError, Why},
    ignore::Ignore,
    tree::{Kind, Links, Spool, Tree, plain},
};
use std::{
    fs::File,
    io::{self, ErrorKind},
};

/// Larger Dockerfiles are no Dockerfiles.
const LIMIT: u64 = 1 << 20;
const IGNORE: &str = ".dockerignore";

/// A context that was read.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) tree: Tree,
    pub(crate) dockerfile: String,
}

/// Reads it: a tar, plain or with gzip or zstd. Blocking.
pub(crate) fn read(file: File, name: &str, scratch: impl FnOnce() -> io::Result<File>) -> Result<Context, BuildError> {
    let spool = Spool::ready(plain(file, scratch).map_err(|e| BuildError::Context(e.into()))?);
    let mut tree = Tree::of(&spool)?;
    let failed = |source| BuildError::Dockerfile { file: name.to_owned(), source };
    let dockerfile = text(&tree, name).map_err(failed)?.ok_or_else(|| BuildError::NoDockerfile(name.to_owned()))?;
    // A file of rules beside the Dockerfile, with its name in front, is preferred.
    let failed = |source| BuildError::Dockerfile { file: IGNORE.to_owned(), source };
    let own = format!("{name}{IGNORE}");
    let (rules, file) = match text(&tree, &own).map_err(failed)? {
        Some(rules) => (Some(rules), own.as_str()),
        None => (text(&tree, IGNORE).map_err(failed)?, IGNORE),
    };
    if let Some(rules) = rules {
        let rules = Ignore::read(&rules);
        let rules =
            rules.map_err(|(line, e)| BuildError::Line { file: file.to_owned(), line, why: Why::Pattern(e) })?;
        tree.retain(|path| !rules.ignores(&String::from_utf8_lossy(path)));
    }
    Ok(Context { tree, dockerfile })
}

/// A text of the context; none where there is none.
fn text(tree: &Tree, name: &str) -> io::Result<Option<String>> {
    let path = tree.resolve(name.as_bytes(), Links::Confined, true).map_err(io::Error::other)?;
    match tree.get(&path).map(|n| &n.kind) {
        Some(Kind::File(content)) => {
            let text = String::from_utf8(content.bytes(LIMIT)?);
            text.map(Some).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
        }
        Some(_) => Err(io::Error::new(ErrorKind::InvalidInput, "it is not a file")),
        None => Ok(None),
    }
}
