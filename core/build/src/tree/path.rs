//! Paths within a tree: bytes, relative, no empty, `.` or `..` part. The root is the empty path. Pure.

/// A checked path.
pub(crate) type Path = Vec<u8>;

/// A name as it stands in an archive. None where it climbs, or holds a zero byte.
pub(crate) fn checked(name: &[u8]) -> Option<Path> {
    let mut path = Path::with_capacity(name.len());
    for part in name.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return None,
            part if part.contains(&0) => return None,
            part => push(&mut path, part),
        }
    }
    Some(path)
}

/// Adds one part.
pub(crate) fn push(path: &mut Path, part: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(part);
}

/// A path beneath another.
pub(crate) fn join(folder: &[u8], rest: &[u8]) -> Path {
    let mut path = folder.to_vec();
    if !rest.is_empty() {
        push(&mut path, rest);
    }
    path
}

/// The last part; empty for the root.
pub(crate) fn name_of(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or_default()
}

/// The folder that it is in; none for the root.
pub(crate) fn parent_of(path: &[u8]) -> Option<&[u8]> {
    if path.is_empty() {
        return None;
    }
    let end = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
    path.get(..end)
}

/// For messages: not endless.
pub(crate) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_and_those_that_climb_refused() {
        for (name, expected) in [
            ("./a//b/", Some("a/b")),
            ("/a", Some("a")),
            (".", Some("")),
            ("", Some("")),
            ("a/../b", None),
            ("..", None),
            ("a\0b", None),
            ("..a/b..", Some("..a/b..")),
        ] {
            assert_eq!(checked(name.as_bytes()).as_deref(), expected.map(str::as_bytes), "{name:?}");
        }
        assert_eq!((name_of(b"a/b"), name_of(b"a"), name_of(b"")), (&b"b"[..], &b"a"[..], &b""[..]));
        assert_eq!((parent_of(b"a/b"), parent_of(b"a"), parent_of(b"")), (Some(&b"a"[..]), Some(&b""[..]), None));
    }
}
