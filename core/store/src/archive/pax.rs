//! PAX extended headers (POSIX.1-2001, pax: "Extended Header"): records `length key=value\n`.

use super::number::{decimal, time};
use crate::error::{Result, StoreError};

/// The records that matter here; all others are read past.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<i64>,
    pub(super) gid: Option<i64>,
    pub(super) mtime: Option<(i64, u32)>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) sparse_name: Option<Vec<u8>>,
    pub(super) sparse_major: Option<u64>,
    pub(super) sparse_real: Option<u64>,
    pub(super) sparse_map: Option<Vec<(u64, u64)>>,
    seen: bool,
}

fn malformed() -> StoreError {
    StoreError::archive("a PAX header is malformed")
}

impl Pax {
    pub(super) fn is_empty(&self) -> bool {
        !self.seen
    }

    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self> {
        let mut pax = Self { seen: true, ..Self::default() };
        while !bytes.is_empty() {
            let space = bytes.iter().position(|b| *b == b' ').ok_or_else(malformed)?;
            let (length, _) = bytes.split_at_checked(space).ok_or_else(malformed)?;
            let length = usize::try_from(decimal(length, "length")?).map_err(|_| malformed())?;
            let (record, rest) = bytes.split_at_checked(length).ok_or_else(malformed)?;
            let record = record.get(space + 1..).and_then(|r| r.strip_suffix(b"\n")).ok_or_else(malformed)?;
            let equals = record.iter().position(|b| *b == b'=').ok_or_else(malformed)?;
            let (key, value) = record.split_at_checked(equals).ok_or_else(malformed)?;
            pax.record(key, value.get(1..).ok_or_else(malformed)?)?;
            bytes = rest;
        }
        Ok(pax)
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            self.xattrs.push((name.to_owned(), value.to_owned()));
            return Ok(());
        }
        // An empty value takes a record back.
        let text = || (!value.is_empty()).then(|| value.to_owned());
        let number = |what| if value.is_empty() { Ok(None) } else { decimal(value, what).map(Some) };
        let id = |what| Ok::<_, StoreError>(number(what)?.map(|n| i64::try_from(n).unwrap_or(i64::MAX)));
        match key {
            b"path" => self.path = text(),
            b"linkpath" => self.link = text(),
            b"size" => self.size = number("size")?,
            b"uid" => self.uid = id("uid")?,
            b"gid" => self.gid = id("gid")?,
            b"mtime" => self.mtime = if value.is_empty() { None } else { Some(time(value, "mtime")?) },
            b"GNU.sparse.name" => self.sparse_name = text(),
            b"GNU.sparse.major" => self.sparse_major = number("GNU.sparse.major")?,
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.sparse_real = number("GNU.sparse.realsize")?,
            // Version 0.1: all pairs in one record.
            b"GNU.sparse.map" => {
                let numbers = value.split(|b| *b == b',').map(|n| decimal(n, "GNU.sparse.map"));
                let numbers = numbers.collect::<Result<Vec<_>>>()?;
                let (pairs, rest) = numbers.as_chunks::<2>();
                if !rest.is_empty() {
                    return Err(malformed());
                }
                self.sparse_map = Some(pairs.iter().map(|[offset, length]| (*offset, *length)).collect());
            }
            // Version 0.0: a pair is two records.
            b"GNU.sparse.offset" => {
                let offset = decimal(value, "GNU.sparse.offset")?;
                self.sparse_map.get_or_insert_default().push((offset, 0));
            }
            b"GNU.sparse.numbytes" => {
                let length = decimal(value, "GNU.sparse.numbytes")?;
                let map = self.sparse_map.as_mut().and_then(|m| m.last_mut());
                map.ok_or_else(malformed)?.1 = length;
            }
            _ => {}
        }
        Ok(())
    }

    /// Global headers are read past (as Docker does) while that changes nothing that readers could see differently.
    pub(super) fn harmless_globally(&self) -> Result<()> {
        let harm = self.path.is_some() || self.link.is_some() || self.size.is_some() || self.sparse_name.is_some();
        if harm || self.sparse_map.is_some() || self.sparse_major.is_some() {
            return Err(StoreError::archive("a global PAX header renames or resizes entries"));
        }
        Ok(())
    }
}
