//! Names in archives: bytes without an encoding, made relative, never leading up. Pure.

use crate::error::{Result, StoreError};

/// What an entry's name means (OCI image-spec, layer: "Whiteouts").
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// The layer's root.
    Root,
    /// A path, components joined by single slashes.
    Plain(Vec<u8>),
    /// `.wh.x`: the lower layers' entry of that path is deleted.
    Whiteout(Vec<u8>),
    /// `.wh..wh..opq`: nothing of the lower layers' folder of that path remains; empty for the root.
    Opaque(Vec<u8>),
    /// Bookkeeping of AUFS, `.wh..wh.*`.
    Ignored,
}

impl Name {
    /// Leading slashes go, as with GNU tar; `..` anywhere is refused, not resolved.
    pub(super) fn of(raw: &[u8]) -> Result<Self> {
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in raw.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    let shown = String::from_utf8_lossy(raw).chars().take(200).collect::<String>();
                    return Err(StoreError::archive(format!("name {shown:?} leads out of the layer")));
                }
                part => parts.push(part),
            }
        }
        // An entry below a whiteout's name would make the marker a folder.
        if let Some((_, above)) = parts.split_last()
            && above.iter().any(|p| p.starts_with(b".wh.") && !p.starts_with(b".wh..wh."))
        {
            return Err(StoreError::archive("an entry stands inside a whiteout"));
        }
        if parts.iter().rev().skip(1).any(|p| p.starts_with(b".wh..wh.")) {
            return Ok(Self::Ignored);
        }
        let Some((last, above)) = parts.split_last() else { return Ok(Self::Root) };
        Ok(match *last {
            b".wh..wh..opq" => Self::Opaque(above.join(&b'/')),
            last if last.starts_with(b".wh..wh.") => Self::Ignored,
            last => match last.strip_prefix(b".wh.") {
                Some(b"" | b"." | b"..") => return Err(StoreError::archive("a whiteout of nothing")),
                Some(name) => {
                    let mut path = above.to_vec();
                    path.push(name);
                    Self::Whiteout(path.join(&b'/'))
                }
                None => Self::Plain(parts.join(&b'/')),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_made_relative_and_plain() {
        let plain = |raw: &[u8], path: &[u8]| assert_eq!(Name::of(raw).unwrap(), Name::Plain(path.to_vec()));
        plain(b"a", b"a");
        plain(b"./a/./b//c/", b"a/b/c");
        plain(b"///etc/passwd", b"etc/passwd");
        plain(b"\xff\xfe/..x", b"\xff\xfe/..x");
        for root in ["", "/", ".", "./", "././/"] {
            assert_eq!(Name::of(root.as_bytes()).unwrap(), Name::Root, "{root}");
        }
    }

    #[test]
    fn what_leads_up_is_refused() {
        for bad in ["..", "../a", "a/../b", "/..", "a/..", "a/.wh..", "a/.wh...", ".wh."] {
            assert!(Name::of(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn deletions_are_told_from_files() {
        assert_eq!(Name::of(b"a/.wh.b").unwrap(), Name::Whiteout(b"a/b".to_vec()));
        assert_eq!(Name::of(b"a/.wh..wh..opq").unwrap(), Name::Opaque(b"a".to_vec()));
        assert_eq!(Name::of(b".wh..wh..opq").unwrap(), Name::Opaque(Vec::new()));
        assert_eq!(Name::of(b".wh..wh.plnk/1.2").unwrap(), Name::Ignored);
        assert!(Name::of(b".wh.a/b").is_err());
    }

    proptest! {
        #[test]
        fn no_name_ever_leaves_the_layer(raw in proptest::collection::vec(
            prop_oneof![Just(b'/'), Just(b'.'), Just(b'a'), Just(0xff_u8), Just(b'w'), Just(b'h'), any::<u8>()], 0..40)) {
            if let Ok(Name::Plain(p) | Name::Whiteout(p) | Name::Opaque(p)) = Name::of(&raw) {
                let parts: Vec<&[u8]> = p.split(|b| *b == b'/').collect();
                prop_assert!(p.is_empty() || parts.iter().all(|c| !c.is_empty() && *c != b"." && *c != b".."));
                prop_assert!(!p.starts_with(b"/"));
            }
        }
    }
}
