//! The fields of one header block, checksum checked.

use super::{BLOCK, number::field};
use crate::error::{Result, StoreError};

/// What the block itself says.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) flag: u8,
    pub(super) path: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) mode: u32,
    pub(super) uid: i64,
    pub(super) gid: i64,
    pub(super) size: u64,
    pub(super) mtime: i64,
    pub(super) device: (i64, i64),
    /// Before POSIX: a trailing slash marks a folder.
    pub(super) old_style: bool,
}

impl Base {
    pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Self> {
        let header = tar::Header::from_byte_slice(block);
        let old = header.as_old();
        check_sum(block, field(&old.cksum, "checksum").ok())?;
        let size = u64::try_from(field(&old.size, "size")?)
            .map_err(|_| StoreError::archive("the header's size is negative"))?;
        let mode = u32::try_from(field(&old.mode, "mode")? & 0o7777).unwrap_or(0);
        let device = match (header.as_ustar(), header.as_gnu()) {
            (Some(h), _) => (field(&h.dev_major, "major number")?, field(&h.dev_minor, "minor number")?),
            (_, Some(h)) => (field(&h.dev_major, "major number")?, field(&h.dev_minor, "minor number")?),
            _ => (0, 0),
        };
        Ok(Self {
            flag: header.entry_type().as_byte(),
            path: header.path_bytes().into_owned(),
            link: header.link_name_bytes().unwrap_or_default().into_owned(),
            mode,
            uid: field(&old.uid, "user id")?,
            gid: field(&old.gid, "group id")?,
            size,
            mtime: field(&old.mtime, "time")?,
            device,
            old_style: matches!(header.entry_type().as_byte(), 0 | b'0'),
        })
    }
}

/// Sums are of unsigned bytes; some old writers summed signed ones.
fn check_sum(block: &[u8; BLOCK], want: Option<i64>) -> Result<()> {
    let bytes = || block.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { b' ' } else { *b });
    let unsigned = || bytes().map(i64::from).sum::<i64>();
    let signed = || bytes().map(|b| i64::from(b.cast_signed())).sum::<i64>();
    if want.is_some_and(|want| want == unsigned() || want == signed()) {
        Ok(())
    } else {
        Err(StoreError::archive("a header's checksum is wrong (damaged, or not a tar archive)"))
    }
}
