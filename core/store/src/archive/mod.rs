//! Reading tar archives: headers in, one [`Entry`] after the other out, its data behind it. Pure: knows no file system.
//!
//! The `tar` crate gives the layout of headers; which header means what is decided here, because that is where
//! smuggling lives: sizes of PAX and ustar that disagree (CVE-2025-62518: the PAX size counts, as in GNU tar), links
//! and folders that claim data, global headers that rename what follows. What readers would see differently is refused.

mod header;
pub(crate) mod input;
mod number;
mod pax;
mod sparse;

use crate::error::{Result, StoreError};
use header::Base;
use std::io::{self, Read};

pub(crate) const BLOCK: usize = 512;
/// Most bytes of one extension header (PAX records, a GNU long name); as Go's archive/tar.
const MAX_EXTENSION: u64 = 1 << 20;

/// What an entry makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Regular,
    Hardlink,
    Symlink,
    Directory,
    Fifo,
    CharDevice,
    BlockDevice,
}

/// One entry, with its extension headers applied.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    /// Permission bits, setuid, setgid, sticky.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds and nanoseconds since 1970.
    pub(crate) mtime: (i64, u32),
    /// Target of a link.
    pub(crate) link: Vec<u8>,
    /// Bytes of the finished file.
    pub(crate) size: u64,
    /// Where data lies in a sparse file, (offset, length), in order.
    pub(crate) sparse: Option<Vec<(u64, u64)>>,
    /// Raw, as the archive has them.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Major and minor number.
    pub(crate) device: (u32, u32),
}

/// A tar stream.
#[derive(Debug)]
pub(crate) struct Archive<R> {
    input: R,
    /// Stored bytes of the current entry that were not read.
    left: u64,
    /// Padding behind them.
    padding: u64,
    ended: bool,
}

impl<R: Read> Archive<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, left: 0, padding: 0, ended: false }
    }

    /// The stream beneath; reading on from it gives what stands behind the archive.
    pub(crate) fn into_input(self) -> R {
        self.input
    }

    /// The next entry, past whatever of the current one was not read.
    pub(crate) fn entry(&mut self) -> Result<Option<Entry>> {
        let mut pax = pax::Pax::default();
        let (mut long_name, mut long_link) = (None, None);
        loop {
            self.skip_rest()?;
            let Some(block) = self.header_block()? else {
                return if pax.is_empty() && long_name.is_none() && long_link.is_none() {
                    Ok(None)
                } else {
                    Err(StoreError::archive("ends after an extension header"))
                };
            };
            let base = Base::parse(&block)?;
            match base.flag {
                b'x' => pax = pax::Pax::parse(&self.extension(base.size)?)?,
                b'g' => pax::Pax::parse(&self.extension(base.size)?)?.harmless_globally()?,
                b'L' => long_name = Some(without_nul(self.extension(base.size)?)),
                b'K' => long_link = Some(without_nul(self.extension(base.size)?)),
                // A volume's label.
                b'V' => self.body(base.size),
                _ => return self.finish_entry(&block, base, pax, long_name, long_link).map(Some),
            }
        }
    }

    fn finish_entry(
        &mut self,
        block: &[u8; BLOCK],
        base: Base,
        pax: pax::Pax,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Entry> {
        let path = pax.sparse_name.or(pax.path).or(long_name).unwrap_or(base.path);
        let shown = String::from_utf8_lossy(&path).chars().take(200).collect::<String>();
        let fail = |why: &str| StoreError::archive(format!("entry {shown:?}: {why}"));
        let kind = match base.flag {
            b'0' | 0 | b'7' if base.old_style && path.ends_with(b"/") => Kind::Directory,
            b'0' | 0 | b'7' | b'S' => Kind::Regular,
            b'1' => Kind::Hardlink,
            b'2' => Kind::Symlink,
            b'3' => Kind::CharDevice,
            b'4' => Kind::BlockDevice,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => return Err(fail(&format!("unknown type {:?}", char::from(other)))),
        };
        let stored = match kind {
            // Some writers repeat the file's size on its hard links; no reader takes it for data.
            Kind::Hardlink => 0,
            Kind::Regular => pax.size.unwrap_or(base.size),
            _ if pax.size.unwrap_or(base.size) != 0 => return Err(fail("only files carry data")),
            _ => 0,
        };
        self.body(stored);
        let (mut size, mut map) = (stored, None);
        if kind == Kind::Regular {
            if base.flag == b'S' {
                let (real, segments) = sparse::gnu(block, &mut self.input)?;
                (size, map) = (real, Some(segments));
            } else if pax.sparse_major == Some(1) {
                let segments = sparse::pax_1_0(self)?;
                (size, map) = (pax.sparse_real.ok_or_else(|| fail("a sparse file without its size"))?, Some(segments));
            } else if let Some(segments) = pax.sparse_map {
                (size, map) = (pax.sparse_real.ok_or_else(|| fail("a sparse file without its size"))?, Some(segments));
            }
        }
        if let Some(segments) = &map {
            sparse::check(segments, size, self.left).map_err(fail)?;
        }
        let id = |n: i64, what: &str| {
            u32::try_from(n).ok().filter(|n| *n != u32::MAX).ok_or_else(|| fail(&format!("{what} {n} is out of range")))
        };
        let (uid, gid) = (id(pax.uid.unwrap_or(base.uid), "user id")?, id(pax.gid.unwrap_or(base.gid), "group id")?);
        let link = pax.link.or(long_link).unwrap_or(base.link);
        if path.contains(&0) || link.contains(&0) {
            return Err(fail("a name holds a zero byte"));
        }
        let device = (id(base.device.0, "device number")?, id(base.device.1, "device number")?);
        let mtime = pax.mtime.unwrap_or((base.mtime, 0));
        let mode = base.mode & 0o7777;
        Ok(Entry { path, kind, mode, uid, gid, mtime, link, size, sparse: map, xattrs: pax.xattrs, device })
    }

    /// A 512-byte header; none at the end of the archive.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>> {
        if self.ended {
            return Ok(None);
        }
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(block.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(input::failed(e)),
            }
        }
        if filled != 0 && filled != BLOCK {
            return Err(StoreError::archive("truncated within a header"));
        }
        self.ended = filled == 0 || block.iter().all(|b| *b == 0);
        Ok((!self.ended).then_some(block))
    }

    fn body(&mut self, size: u64) {
        self.left = size;
        self.padding = (512 - size % 512) % 512;
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > MAX_EXTENSION {
            return Err(StoreError::archive(format!(
                "an extension header of {size} bytes (at most {MAX_EXTENSION} are read)"
            )));
        }
        self.body(size);
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).map_err(input::failed)?;
        Ok(bytes)
    }

    fn skip_rest(&mut self) -> Result<()> {
        io::copy(self, &mut io::sink()).map_err(input::failed)?;
        let mut padding = [0; BLOCK];
        let length = usize::try_from(self.padding).unwrap_or(0);
        self.padding = 0;
        self.input.read_exact(padding.get_mut(..length).unwrap_or_default()).map_err(input::failed)
    }
}

/// The current entry's stored bytes. An early end of the stream is an error, never a short file.
impl<R: Read> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if length == 0 {
            return Ok(0);
        }
        let n = self.input.read(buffer.get_mut(..length).unwrap_or_default())?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= u64::try_from(n).unwrap_or(0);
        Ok(n)
    }
}

fn without_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|b| *b == 0) {
        bytes.truncate(end);
    }
    bytes
}
