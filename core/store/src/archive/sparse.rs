//! Maps of sparse files: GNU's old format, and PAX 0.0, 0.1 and 1.0 (GNU tar manual, "Storing Sparse Files").

use super::{Archive, BLOCK, input, number};
use crate::error::{Result, StoreError};
use std::io::Read;

/// Most segments of one file.
const MAX_SEGMENTS: usize = 1 << 20;

/// Old GNU format: four segments in the header, the rest in blocks behind it. Answers the real size, too.
pub(super) fn gnu(block: &[u8; BLOCK], input: &mut impl Read) -> Result<(u64, Vec<(u64, u64)>)> {
    let positive = |bytes: &[u8]| {
        u64::try_from(number::field(bytes, "sparse map")?)
            .map_err(|_| StoreError::archive("a sparse map has negative numbers"))
    };
    let header = tar::Header::from_byte_slice(block);
    let header = header.as_gnu().ok_or_else(|| StoreError::archive("a sparse entry without a GNU header"))?;
    let real = positive(&header.realsize)?;
    let mut segments = Vec::new();
    for s in header.sparse.iter().filter(|s| !s.is_empty()) {
        segments.push((positive(&s.offset)?, positive(&s.numbytes)?));
    }
    let mut more = header.is_extended();
    while more {
        let mut extension = tar::GnuExtSparseHeader::new();
        input.read_exact(extension.as_mut_bytes()).map_err(input::failed)?;
        for s in extension.sparse.iter().filter(|s| !s.is_empty()) {
            segments.push((positive(&s.offset)?, positive(&s.numbytes)?));
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(StoreError::archive("a sparse map has too many segments"));
        }
        more = extension.is_extended();
    }
    Ok((real, segments))
}

/// PAX 1.0: the map stands before the data, decimal numbers a line, padded to a block.
pub(super) fn pax_1_0<R: Read>(archive: &mut Archive<R>) -> Result<Vec<(u64, u64)>> {
    let mut lines = Lines { archive, block: [0; BLOCK], at: BLOCK };
    let count = usize::try_from(lines.number()?).unwrap_or(usize::MAX);
    if count > MAX_SEGMENTS {
        return Err(StoreError::archive("a sparse map has too many segments"));
    }
    let mut segments = Vec::new();
    for _ in 0..count {
        segments.push((lines.number()?, lines.number()?));
    }
    Ok(segments)
}

struct Lines<'a, R> {
    archive: &'a mut Archive<R>,
    block: [u8; BLOCK],
    at: usize,
}

impl<R: Read> Lines<'_, R> {
    fn number(&mut self) -> Result<u64> {
        let mut digits = Vec::new();
        loop {
            if self.at == BLOCK {
                self.archive.read_exact(&mut self.block).map_err(input::failed)?;
                self.at = 0;
            }
            let byte = self.block.get(self.at).copied().unwrap_or(0);
            self.at += 1;
            match byte {
                b'\n' => return number::decimal(&digits, "sparse map"),
                _ if digits.len() < 20 => digits.push(byte),
                _ => return Err(StoreError::archive("a sparse map has a number that is too long")),
            }
        }
    }
}

/// In order, without overlap, inside the file, and as long as what is stored.
pub(super) fn check(segments: &[(u64, u64)], size: u64, stored: u64) -> Result<(), &'static str> {
    let (mut end, mut sum) = (0u64, 0u64);
    for (offset, length) in segments {
        if *offset < end {
            return Err("its sparse map overlaps");
        }
        end = offset.checked_add(*length).ok_or("its sparse map is too large")?;
        sum = sum.checked_add(*length).ok_or("its sparse map is too large")?;
    }
    if end > size {
        return Err("its sparse map is larger than the file");
    }
    if sum != stored { Err("its sparse map does not fit the data") } else { Ok(()) }
}
