//! The stream beneath a tar archive: compression told by magic and checked against the media type, hashed for the
//! diff id, counted against bombs, and cancellable. Decoders run in this process, never as programs (CVE-2026-41567).

use crate::error::{Result, StoreError};
use davit_model::digest::Digest;
use sha2::{Digest as _, Sha256};
use std::{
    cell::Cell,
    io::{self, BufRead, BufReader, Read},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What one layer may cost at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Uncompressed bytes.
    pub bytes: u64,
    /// Uncompressed bytes for each compressed one, once `free` is passed.
    pub ratio: u64,
    /// Uncompressed bytes below which the ratio does not count.
    pub free: u64,
    /// Entries.
    pub entries: u64,
}

impl Default for Limits {
    /// 256 GiB, 200:1 past 1 GiB, four million entries.
    fn default() -> Self {
        Self { bytes: 256 << 30, ratio: 200, free: 1 << 30, entries: 4_000_000 }
    }
}

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn name(self) -> &'static str {
        match self {
            Self::None => "no compression",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn by_magic(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// What a layer's media type promises; none where nothing is known of it (an archive from elsewhere).
    pub(crate) fn by_media_type(media_type: &str) -> Result<Option<Self>> {
        const OCI: &str = "application/vnd.oci.image.layer.";
        if media_type.is_empty() {
            return Ok(None);
        }
        let rest = match media_type {
            "application/vnd.docker.image.rootfs.diff.tar" => "tar",
            "application/vnd.docker.image.rootfs.diff.tar.gzip"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => "tar+gzip",
            "application/vnd.docker.image.rootfs.diff.tar.zstd" => "tar+zstd",
            _ => {
                let rest = media_type.strip_prefix(OCI).unwrap_or(media_type);
                rest.strip_prefix("nondistributable.").unwrap_or(rest).strip_prefix("v1.").unwrap_or(rest)
            }
        };
        match rest {
            "tar" => Ok(Some(Self::None)),
            "tar+gzip" => Ok(Some(Self::Gzip)),
            "tar+zstd" => Ok(Some(Self::Zstd)),
            _ => Err(StoreError::archive(format!("unknown media type of a layer: {media_type:?}"))),
        }
    }
}

/// The uncompressed stream.
pub(crate) struct Input<'a> {
    decoder: Box<dyn Read + 'a>,
    compressed: Rc<Cell<u64>>,
    hash: Sha256,
    read: u64,
    limits: Limits,
    cancel: Arc<AtomicBool>,
}

struct Counted<R>(R, Rc<Cell<u64>>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buffer)?;
        self.1.set(self.1.get() + u64::try_from(n).unwrap_or(0));
        Ok(n)
    }
}

impl<'a> Input<'a> {
    pub(crate) fn new(
        source: Box<dyn Read + Send + 'a>,
        media_type: &str,
        limits: Limits,
        cancel: Arc<AtomicBool>,
    ) -> Result<Self> {
        let promised = Compression::by_media_type(media_type)?;
        let compressed = Rc::new(Cell::new(0));
        let mut source = BufReader::with_capacity(1 << 16, Counted(source, compressed.clone()));
        let magic = source.fill_buf().map_err(failed)?;
        // A first read may be short; four bytes decide.
        let found = if magic.len() < 4 {
            let mut start = Vec::new();
            source.by_ref().take(4).read_to_end(&mut start).map_err(failed)?;
            let found = Compression::by_magic(&start);
            let joined = Box::new(BufReader::with_capacity(1 << 16, io::Cursor::new(start).chain(source)));
            return Self::decode(joined, found, promised, compressed, limits, cancel);
        } else {
            Compression::by_magic(magic)
        };
        Self::decode(Box::new(source), found, promised, compressed, limits, cancel)
    }

    fn decode(
        source: Box<dyn BufRead + 'a>,
        found: Compression,
        promised: Option<Compression>,
        compressed: Rc<Cell<u64>>,
        limits: Limits,
        cancel: Arc<AtomicBool>,
    ) -> Result<Self> {
        if let Some(promised) = promised.filter(|p| *p != found) {
            let (promised, found) = (promised.name(), found.name());
            return Err(StoreError::archive(format!("its media type says {promised}, its content {found}")));
        }
        let decoder: Box<dyn Read + 'a> = match found {
            Compression::None => source,
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(source).map_err(failed)?),
        };
        Ok(Self { decoder, compressed, hash: Sha256::new(), read: 0, limits, cancel })
    }

    /// Reads to the end of the stream (padding counts for the diff id) and answers the diff id.
    pub(crate) fn finish(mut self) -> Result<(Digest, u64)> {
        io::copy(&mut self, &mut io::sink()).map_err(failed)?;
        Ok((Digest::sha256(&self.hash.finalize().into()), self.read))
    }

    fn bounds(&self) -> io::Result<()> {
        let Limits { bytes, ratio, free, .. } = self.limits;
        if self.cancel.load(Ordering::Relaxed) {
            return Err(io::Error::other(Stop(StoreError::Cancelled)));
        }
        if self.read > bytes {
            return Err(stop(format!("more than {bytes} bytes uncompressed")));
        }
        if self.read > free && self.read / ratio.max(1) > self.compressed.get() {
            return Err(stop(format!("grows more than {ratio}-fold when uncompressed")));
        }
        Ok(())
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.decoder.read(buffer)?;
        self.hash.update(buffer.get(..n).unwrap_or_default());
        self.read += u64::try_from(n).unwrap_or(0);
        self.bounds()?;
        Ok(n)
    }
}

/// A refusal of ours on its way through `io::Error`.
#[derive(Debug)]
struct Stop(StoreError);

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Stop {}

fn stop(why: String) -> io::Error {
    io::Error::other(Stop(StoreError::Archive(why)))
}

/// What a failed read of the stream means.
pub(crate) fn failed(e: io::Error) -> StoreError {
    if e.get_ref().is_some_and(|inner| inner.is::<Stop>()) {
        return match e.into_inner().map(|inner| inner.downcast::<Stop>()) {
            Some(Ok(stop)) => stop.0,
            _ => StoreError::archive("unreadable"),
        };
    }
    match e.kind() {
        io::ErrorKind::UnexpectedEof => StoreError::archive(format!("truncated: {e}")),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
            StoreError::archive(format!("damaged: {e}"))
        }
        _ => StoreError::io("read", "a layer", e),
    }
}
