//! A blob in flight: hashed as it is written, kept over a kill, made final by rename.

use super::{BlobFollower, Folders, follow::Progress, name};
use crate::error::{IoContext, Result, StoreError};
use davit_model::digest::Digest;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    sync::Arc,
};

/// Writes one blob. Dropped before [`BlobWriter::finish`], what was written stays and the next writer goes on there; but
/// where the file system is full it gives its room back.
///
/// `write` blocks for a copy into the page cache and a hash; `finish` blocks for an fsync.
#[derive(Debug)]
pub struct BlobWriter {
    folders: Arc<Folders>,
    digest: Digest,
    part: String,
    size: Option<u64>,
    file: File,
    hash: Sha256,
    offset: u64,
    progress: Arc<Progress>,
    /// The part's name is not this writer's any more.
    gone: bool,
}

impl BlobWriter {
    pub(super) fn open(folders: Arc<Folders>, digest: &Digest, size: Option<u64>) -> Result<Self> {
        let part = format!("{}.part", name(digest)?);
        let object = || format!("blob {digest} in flight");
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::openat(&folders.ingest, &part, flags, Mode::RUSR | Mode::WUSR).doing("open", object())?;
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::AGAIN) => return Err(StoreError::Busy(digest.clone())),
            Err(e) => return Err(StoreError::io("lock", object(), e)),
        }
        // The former holder may have renamed or removed the file between our open and our lock.
        let ours = rustix::fs::fstat(&fd).doing("look at", object())?;
        match rustix::fs::statat(&folders.ingest, &part, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) if there.st_ino == ours.st_ino => {}
            _ => return Err(StoreError::Busy(digest.clone())),
        }
        let progress = Arc::default();
        let mut writer = Self {
            folders,
            digest: digest.clone(),
            part,
            size,
            file: File::from(fd),
            hash: Sha256::new(),
            offset: 0,
            progress,
            gone: false,
        };
        writer.rehash()?;
        Ok(writer)
    }

    fn object(&self) -> String {
        format!("blob {} in flight", self.digest)
    }

    /// Hashes what an earlier writer left; bytes that no one can vouch for are caught at the end, by the digest.
    fn rehash(&mut self) -> Result<()> {
        let mut buffer = vec![0; 1 << 17];
        loop {
            let n = self.file.read(&mut buffer).doing("read", self.object())?;
            if n == 0 {
                break;
            }
            self.hash.update(buffer.get(..n).unwrap_or_default());
            self.offset += u64::try_from(n).unwrap_or(0);
        }
        if self.size.is_some_and(|size| self.offset > size) {
            self.restart()?;
        }
        self.progress.advance(self.offset);
        Ok(())
    }

    /// Bytes that are there already: where the transfer goes on.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The blob's digest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Forgets what is there; for servers that cannot resume. Followers wait until it has come again.
    pub fn restart(&mut self) -> Result<()> {
        self.progress.rewind();
        self.file.set_len(0).doing("truncate", self.object())?;
        self.file.seek(SeekFrom::Start(0)).doing("rewind", self.object())?;
        self.hash = Sha256::new();
        self.offset = 0;
        Ok(())
    }

    /// Appends. More bytes than declared are an error, and the part is removed; as it is where there is no room for it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let end = self.offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if let Some(want) = self.size.filter(|size| end > *size) {
            self.discard("too many bytes")?;
            return Err(StoreError::WrongSize { object: format!("blob {}", self.digest), want, got: end });
        }
        if let Err(e) = self.file.write_all(bytes) {
            // What went in partly is cut off again: where it can be resumed, every byte is one that was counted.
            let _ = self.file.set_len(self.offset);
            let _ = self.file.seek(SeekFrom::Start(self.offset));
            return Err(self.without_room(StoreError::io("write", self.object(), e)));
        }
        self.hash.update(bytes);
        self.offset = end;
        self.progress.advance(end);
        Ok(())
    }

    /// Reads the blob while it is written: decompression and unpacking start with the first bytes.
    pub fn follow(&self) -> Result<BlobFollower> {
        let file = self.file.try_clone().doing("duplicate", self.object())?;
        Ok(BlobFollower::new(file, self.progress.clone()))
    }

    /// Checks size and digest and makes the blob final: fsync, rename, fsync of the folder. A wrong blob is removed.
    pub fn finish(mut self) -> Result<Digest> {
        let object = format!("blob {}", self.digest);
        if let Some(want) = self.size.filter(|size| *size != self.offset) {
            let got = self.offset;
            self.discard("too few bytes")?;
            return Err(StoreError::WrongSize { object, want, got });
        }
        let got = Digest::sha256(&std::mem::take(&mut self.hash).finalize().into());
        if got != self.digest {
            self.discard("wrong digest")?;
            return Err(StoreError::WrongDigest { object, want: self.digest.clone(), got });
        }
        self.commit(&object).map_err(|e| self.without_room(e))?;
        self.gone = true;
        davit_sys::fault::point("store.blob");
        rustix::fs::fsync(&self.folders.done).doing("flush the folder of", object)?;
        self.progress.finish();
        Ok(self.digest.clone())
    }

    /// Gives up and removes what is there.
    pub fn abandon(mut self) -> Result<()> {
        self.discard("abandoned")
    }

    fn commit(&self, object: &str) -> Result<()> {
        self.file.sync_all().doing("flush", object)?;
        rustix::fs::renameat(&self.folders.ingest, &self.part, &self.folders.done, name(&self.digest)?)
            .doing("commit", object)
    }

    /// Gives the room back where there is none left, and at once: followers may hold the file open for a while.
    fn without_room(&mut self, e: StoreError) -> StoreError {
        if e.is_no_space() {
            // The error that is told is the first one.
            let _ = self.restart();
            let _ = self.discard("no space left");
        }
        e
    }

    fn discard(&mut self, why: &'static str) -> Result<()> {
        self.progress.fail(why);
        self.gone = true;
        match rustix::fs::unlinkat(&self.folders.ingest, &self.part, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(e) => Err(StoreError::io("remove", self.object(), e)),
        }
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        self.progress.fail("the transfer ended early");
        // Nothing is in it that could be gone on with.
        if self.offset == 0 && !self.gone {
            let _ = self.discard("the transfer ended early");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Blobs;
    use super::*;

    fn blobs() -> (tempfile::TempDir, Blobs) {
        let dir = tempfile::tempdir().unwrap();
        let root = rustix::fs::open(dir.path(), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let blobs = Blobs::open(&root).unwrap();
        (dir, blobs)
    }

    fn digest(bytes: &[u8]) -> Digest {
        Digest::sha256(&Sha256::digest(bytes).into())
    }

    fn parts(dir: &tempfile::TempDir) -> usize {
        std::fs::read_dir(dir.path().join("content/ingest")).unwrap().count()
    }

    #[test]
    fn a_blob_goes_on_where_an_earlier_writer_stopped() {
        let (_dir, blobs) = blobs();
        let d = digest(b"hello world");
        let mut w = blobs.writer(&d, Some(11)).unwrap();
        w.write(b"hello ").unwrap();
        drop(w);
        let mut w = blobs.writer(&d, Some(11)).unwrap();
        assert_eq!(w.offset(), 6);
        w.write(b"world").unwrap();
        assert_eq!(w.finish().unwrap(), d);
        assert_eq!(blobs.read_all(&d, 100).unwrap(), b"hello world");
        blobs.verify(&d).unwrap();
    }

    #[test]
    fn wrong_bytes_too_many_and_too_few_are_refused_and_leave_nothing() {
        let (dir, blobs) = blobs();
        let d = digest(b"right");
        let mut w = blobs.writer(&d, Some(5)).unwrap();
        w.write(b"wrong").unwrap();
        assert!(matches!(w.finish(), Err(StoreError::WrongDigest { .. })));
        let mut w = blobs.writer(&d, Some(5)).unwrap();
        assert!(matches!(w.write(b"righty"), Err(StoreError::WrongSize { want: 5, got: 6, .. })));
        drop(w);
        let mut w = blobs.writer(&d, Some(5)).unwrap();
        w.write(b"righ").unwrap();
        assert!(matches!(w.finish(), Err(StoreError::WrongSize { want: 5, got: 4, .. })));
        assert_eq!(parts(&dir), 0);
        assert_eq!(blobs.size(&d).unwrap(), None);
    }

    #[test]
    fn what_does_not_fit_gives_its_room_back_at_once() {
        let disk = crate::testing::SmallDisk::new();
        let root = rustix::fs::open(disk.path(), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let blobs = Blobs::open(&root).unwrap();
        let before = disk.used();
        let mut w = blobs.writer(&digest(b"too large"), None).unwrap();
        let mut follower = w.follow().unwrap();
        let piece = vec![7; 1 << 20];
        let full = (0..64).find_map(|_| w.write(&piece).err()).unwrap();
        assert!(full.is_no_space(), "{full}");
        assert_eq!(std::fs::read_dir(disk.path().join("content/ingest")).unwrap().count(), 0);
        // Whoever reads it meanwhile learns of it, and keeps none of the room.
        disk.uses_at_most(before + (64 << 10));
        let e = follower.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(e.to_string().contains("no space left"), "{e}");
        drop((w, follower));
    }

    #[test]
    fn a_transfer_that_brought_nothing_leaves_nothing() {
        let (dir, blobs) = blobs();
        let d = digest(b"right");
        let mut w = blobs.writer(&d, Some(5)).unwrap();
        w.write(b"wrong").unwrap();
        w.restart().unwrap();
        drop(w);
        assert_eq!(parts(&dir), 0);
        // Nor does it take away what another writer has begun under the same name.
        let mut first = blobs.writer(&d, Some(5)).unwrap();
        first.write(b"too long").unwrap_err();
        let mut second = blobs.writer(&d, Some(5)).unwrap();
        second.write(b"ri").unwrap();
        drop(first);
        assert_eq!(parts(&dir), 1);
    }

    #[test]
    fn two_writers_of_one_blob_do_not_meet() {
        let (_dir, blobs) = blobs();
        let d = digest(b"x");
        let mut first = blobs.writer(&d, Some(1)).unwrap();
        assert!(matches!(blobs.writer(&d, Some(1)), Err(StoreError::Busy(_))));
        first.write(b"x").unwrap();
        first.finish().unwrap();
        assert!(blobs.writer(&d, Some(1)).is_ok());
    }

    #[test]
    fn a_follower_reads_while_the_writer_writes() {
        let (_dir, blobs) = blobs();
        let bytes: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
        let mut w = blobs.writer(&digest(&bytes), None).unwrap();
        let mut follower = w.follow().unwrap();
        let reader = std::thread::spawn(move || {
            let mut got = Vec::new();
            follower.read_to_end(&mut got).map(|_| got)
        });
        for chunk in bytes.chunks(7001) {
            w.write(chunk).unwrap();
        }
        w.finish().unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), bytes);
    }

    #[test]
    fn a_follower_outlives_a_restart_of_the_transfer() {
        let (_dir, blobs) = blobs();
        let mut w = blobs.writer(&digest(b"abcdef"), None).unwrap();
        w.write(b"abc").unwrap();
        let mut follower = w.follow().unwrap();
        let mut start = [0; 3];
        follower.read_exact(&mut start).unwrap();
        w.restart().unwrap();
        let reader = std::thread::spawn(move || {
            let mut rest = Vec::new();
            follower.read_to_end(&mut rest).map(|_| rest)
        });
        for byte in b"abcdef" {
            w.write(&[*byte]).unwrap();
        }
        w.finish().unwrap();
        assert_eq!((&start, reader.join().unwrap().unwrap().as_slice()), (b"abc", b"def".as_slice()));
    }

    #[test]
    fn a_follower_learns_that_the_writer_went_away() {
        let (_dir, blobs) = blobs();
        let mut w = blobs.writer(&digest(b"xyz"), None).unwrap();
        w.write(b"x").unwrap();
        let mut follower = w.follow().unwrap();
        drop(w);
        let e = follower.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(e.to_string().contains("ended early"), "{e}");
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let (dir, blobs) = blobs();
        let d = blobs.put(b"sound").unwrap();
        std::fs::write(dir.path().join("content/sha256").join(d.hex()), b"sownd").unwrap();
        assert!(matches!(blobs.verify(&d), Err(StoreError::WrongDigest { .. })));
    }
}
