//! Blobs by digest: `content/sha256/<hex>`, and blobs in flight: `content/ingest/<hex>.part`. Knows no manifests.

mod follow;
mod writer;

pub use follow::BlobFollower;
pub use writer::BlobWriter;

use crate::error::{IoContext, Result, StoreError};
use davit_model::digest::{Algorithm, Digest};
use rustix::fs::{AtFlags, Mode, OFlags};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeSet, fs::File, io::Read, os::fd::OwnedFd, sync::Arc};

/// The blobs of a data root; cheap to clone. All calls block on the disk.
#[derive(Clone, Debug)]
pub struct Blobs(Arc<Folders>);

#[derive(Debug)]
struct Folders {
    done: OwnedFd,
    ingest: OwnedFd,
}

/// A blob as it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its digest, as its name says.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

/// A digest's sha256 file name; other algorithms are understood in manifests but nothing is stored under them.
fn name(digest: &Digest) -> Result<&str> {
    match digest.algorithm() {
        Algorithm::Sha256 => Ok(digest.hex()),
        Algorithm::Sha512 => {
            Err(StoreError::Document { what: format!("blob {digest}"), why: "only sha256 content is stored".into() })
        }
    }
}

impl Blobs {
    /// Opens or makes the folders beneath `root`, the data root.
    pub(crate) fn open(root: &OwnedFd) -> Result<Self> {
        let content = crate::dirs::make(root, "content")?;
        let done = crate::dirs::make(&content, "sha256")?;
        let ingest = crate::dirs::make(&content, "ingest")?;
        Ok(Self(Arc::new(Folders { done, ingest })))
    }

    /// The size of a blob that is there and complete.
    pub fn size(&self, digest: &Digest) -> Result<Option<u64>> {
        match rustix::fs::statat(&self.0.done, name(digest)?, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(u64::try_from(stat.st_size).unwrap_or(0))),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(e) => Err(StoreError::io("look at", format!("blob {digest}"), e)),
        }
    }

    /// Opens a complete blob for reading.
    pub fn read(&self, digest: &Digest) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::openat(&self.0.done, name(digest)?, flags, Mode::empty()) {
            Ok(fd) => Ok(File::from(fd)),
            Err(rustix::io::Errno::NOENT) => Err(StoreError::NotFound { kind: "blob", name: digest.to_string() }),
            Err(e) => Err(StoreError::io("open", format!("blob {digest}"), e)),
        }
    }

    /// A small blob whole; refused where it is larger than `limit` bytes.
    pub fn read_all(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = self.read(digest)?;
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).doing("read", format!("blob {digest}"))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(StoreError::WrongSize { object: format!("blob {digest}"), want: limit, got: limit + 1 });
        }
        Ok(bytes)
    }

    /// Begins, or resumes, to write a blob. Where `size` is known, not a byte more is taken. [`StoreError::Busy`]
    /// where another writer has it.
    pub fn writer(&self, digest: &Digest, size: Option<u64>) -> Result<BlobWriter> {
        BlobWriter::open(self.0.clone(), digest, size)
    }

    /// Stores bytes that are at hand.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::sha256(&Sha256::digest(bytes).into());
        if self.size(&digest)?.is_none() {
            let mut writer = self.writer(&digest, u64::try_from(bytes.len()).ok())?;
            writer.restart()?;
            writer.write(bytes)?;
            writer.finish()?;
        }
        Ok(digest)
    }

    /// Removes a blob; nothing to do where it is not there.
    pub(crate) fn remove(&self, digest: &Digest) -> Result<()> {
        match rustix::fs::unlinkat(&self.0.done, name(digest)?, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(e) => Err(StoreError::io("remove", format!("blob {digest}"), e)),
        }
    }

    /// All complete blobs.
    pub fn list(&self) -> Result<Vec<BlobInfo>> {
        let mut found = Vec::new();
        for name in crate::dirs::names(&self.0.done)? {
            let text = format!("sha256:{}", String::from_utf8_lossy(name.to_bytes()));
            let Ok(digest) = text.parse::<Digest>() else { continue };
            if let Some(size) = self.size(&digest)? {
                found.push(BlobInfo { digest, size });
            }
        }
        Ok(found)
    }

    /// Removes what is left of transfers that nobody goes on with, but for those in `keep`; answers the bytes freed.
    pub(crate) fn sweep_parts(&self, keep: &BTreeSet<Digest>) -> Result<u64> {
        let mut freed = 0;
        for part in crate::dirs::names(&self.0.ingest)? {
            let text = String::from_utf8_lossy(part.to_bytes()).into_owned();
            let digest = text.strip_suffix(".part").and_then(|hex| format!("sha256:{hex}").parse::<Digest>().ok());
            let Some(digest) = digest.filter(|digest| !keep.contains(digest)) else { continue };
            // Held by the writer whose file it is: that one is in flight.
            let Ok(writer) = self.writer(&digest, None) else { continue };
            freed += writer.offset();
            writer.abandon()?;
        }
        Ok(freed)
    }

    /// Reads a blob whole and compares its digest.
    pub fn verify(&self, digest: &Digest) -> Result<()> {
        let mut file = self.read(digest)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 17];
        loop {
            let n = file.read(&mut buffer).doing("read", format!("blob {digest}"))?;
            if n == 0 {
                break;
            }
            hash.update(buffer.get(..n).unwrap_or_default());
        }
        let got = Digest::sha256(&hash.finalize().into());
        if got == *digest {
            Ok(())
        } else {
            Err(StoreError::WrongDigest { object: format!("blob {digest}"), want: digest.clone(), got })
        }
    }
}
