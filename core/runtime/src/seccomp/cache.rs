//! Compiled filters on disk, so that a profile is compiled once and not at every start.
//!
//! A file is named by the digest of the profile (its conditions are decided by then, so the facts are in it), of the
//! architecture and of this emitter's version. A filter read back decides what a container may do: the folder must
//! belong to us and nobody else may write there; a file that is not whole is compiled anew.

use super::{Program, SeccompError, compile, program::MAX_INSTRUCTIONS};
use oci_spec::runtime::LinuxSeccomp;
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Raised when the emitter writes other instructions for the same profile.
const VERSION: &str = "davit seccomp 1";

/// A folder of compiled filters.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// Opens or makes the folder. Refused where it is another user's or where others may write.
    pub fn open(dir: &Path) -> Result<Self, SeccompError> {
        let failed = |operation| move |source| SeccompError::Cache { operation, path: dir.to_owned(), source };
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(failed("make")(e)),
            _ => {}
        }
        let meta = fs::symlink_metadata(dir).map_err(failed("look at"))?;
        if !meta.is_dir() || meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
            return Err(failed("trust")(io::Error::from(io::ErrorKind::PermissionDenied)));
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// The filter for `profile`, compiled where it is not there yet. A cache that cannot be written is no error.
    pub fn program(&self, profile: &LinuxSeccomp) -> Result<Program, SeccompError> {
        let path = self.dir.join(key(profile)?);
        if let Some(program) = read(&path) {
            return Ok(program);
        }
        let program = compile(profile)?;
        let _ = write(&path, &program);
        Ok(program)
    }
}

fn key(profile: &LinuxSeccomp) -> Result<String, SeccompError> {
    let mut hash = Sha256::new();
    hash.update(VERSION);
    hash.update(std::env::consts::ARCH);
    hash.update(include_str!("data/syscalls.txt"));
    hash.update(serde_json::to_vec(profile).map_err(SeccompError::Decode)?);
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Flags, a digest of what follows, instructions.
fn read(path: &Path) -> Option<Program> {
    let content = fs::read(path).ok()?;
    let (flags, rest) = content.split_first_chunk::<4>()?;
    let (digest, bytes) = rest.split_first_chunk::<32>()?;
    let whole = bytes.len() % 8 == 0 && !bytes.is_empty() && bytes.len() <= MAX_INSTRUCTIONS * 8;
    if !whole || Sha256::digest(bytes).as_slice() != digest {
        return None;
    }
    Some(Program { bytes: bytes.to_vec(), flags: u32::from_ne_bytes(*flags) })
}

fn write(path: &Path, program: &Program) -> io::Result<()> {
    let beside = path.with_extension(std::process::id().to_string());
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let mut content = program.flags.to_ne_bytes().to_vec();
    content.extend_from_slice(&Sha256::digest(&program.bytes));
    content.extend_from_slice(&program.bytes);
    let done = file.write_all(&content).and_then(|()| fs::rename(&beside, path));
    if done.is_err() {
        let _ = fs::remove_file(&beside);
    }
    done
}
