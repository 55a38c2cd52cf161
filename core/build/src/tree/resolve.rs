//! Names looked up in a tree, links followed within it. Pure.

use super::{Kind, Path, Tree, path, shown};

/// How many links a name may lead through, as Linux has it.
const LINKS: usize = 40;

/// Where links may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// An image's root: `/` is the root, and `..` of the root is the root.
    Rooted,
    /// The build context: a link that names `/` or climbs out is refused.
    Confined,
}

/// Why a name leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// It climbs out, or a link on the way does.
    #[error("{0:?} leads out of the build context")]
    Leaves(String),
    /// Too many links.
    #[error("{0:?} leads through too many links")]
    Loop(String),
    /// A zero byte.
    #[error("{0:?} is no path")]
    Malformed(String),
}

impl Tree {
    /// The path that a name stands for once links are followed, the last only where `last` says. What is not there is
    /// kept as it is written.
    pub(crate) fn resolve(&self, name: &[u8], links: Links, last: bool) -> Result<Path, ResolveError> {
        let mut left: Vec<Vec<u8>> = parts(name);
        let mut at = Path::new();
        let mut followed = 0;
        while let Some(part) = left.pop() {
            if part == b".." {
                match path::parent_of(&at) {
                    Some(parent) => at.truncate(parent.len()),
                    None if links == Links::Rooted => {}
                    None => return Err(ResolveError::Leaves(shown(name))),
                }
                continue;
            }
            if part.contains(&0) {
                return Err(ResolveError::Malformed(shown(name)));
            }
            let next = path::join(&at, &part);
            match self.get(&next).map(|n| &n.kind) {
                Some(Kind::Link(target)) if last || !left.is_empty() => {
                    followed += 1;
                    if followed > LINKS {
                        return Err(ResolveError::Loop(shown(name)));
                    }
                    if target.starts_with(b"/") {
                        if links == Links::Confined {
                            return Err(ResolveError::Leaves(shown(name)));
                        }
                        at.clear();
                    }
                    left.extend(parts(target));
                }
                _ => at = next,
            }
        }
        Ok(at)
    }
}

/// The parts of a name, the last first.
fn parts(name: &[u8]) -> Vec<Vec<u8>> {
    name.split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".").rev().map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::Node, *};

    fn tree() -> Tree {
        let mut tree = Tree::default();
        for (name, target) in
            [("var/run", "/run"), ("up", "../outside"), ("a/link", "../b"), ("loop", "loop"), ("b/deep", "/")]
        {
            let kind = Kind::Link(target.as_bytes().to_vec());
            tree.insert(name.as_bytes().to_vec(), Node { kind, ..Node::folder(0) });
        }
        tree.insert(b"run".to_vec(), Node::folder(0));
        tree
    }

    #[test]
    fn links_are_followed_within_the_tree() {
        let tree = tree();
        for (name, last, expected) in [
            ("/var/run/x", true, "run/x"),
            ("var/run", false, "var/run"),
            ("var/run", true, "run"),
            ("a/link/new", true, "b/new"),
            ("b/deep/run", true, "run"),
            ("../../etc", true, "etc"),
            ("up", true, "outside"),
            ("not/there/../x", true, "not/x"),
        ] {
            let found = tree.resolve(name.as_bytes(), Links::Rooted, last).unwrap();
            assert_eq!(shown(&found), expected, "{name}");
        }
        assert!(matches!(tree.resolve(b"loop", Links::Rooted, true), Err(ResolveError::Loop(_))));
    }

    #[test]
    fn a_link_that_leaves_the_context_is_refused() {
        let tree = tree();
        for name in ["..", "a/../..", "up", "up/x", "var/run/x", "b/deep"] {
            let error = tree.resolve(name.as_bytes(), Links::Confined, true).unwrap_err();
            assert!(matches!(error, ResolveError::Leaves(_)), "{name}");
        }
        assert_eq!(tree.resolve(b"a/link/x", Links::Confined, true).unwrap(), b"b/x");
    }
}
