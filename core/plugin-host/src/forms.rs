//! The folder of compiled forms, keyed by the component's digest, wasmtime's version, and its settings with the CPU's
//! features. A compiled form is code, so the folder must belong to us and nobody else may write to it; a form is never
//! taken from anywhere else. How one is made is [`crate::compile`], how it comes to run [`crate::compiled`].

use crate::{
    compile::{CompilerProgram, compile},
    compiled::Compiled,
    error::LoadError,
};
use sha2::{Digest, Sha256};
use std::{
    fs,
    hash::{Hash, Hasher},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};
use wasmtime::Engine;

/// Bytes that are kept: those of an interpreter take some 45 MB, others less than one.
const LARGEST: u64 = 1 << 30;

/// The folder of compiled forms.
#[derive(Debug)]
pub(crate) struct CompiledForms {
    dir: PathBuf,
    compiler: Option<CompilerProgram>,
}

impl CompiledForms {
    /// Opens the folder, made where it is not there.
    pub(crate) fn open(dir: &Path, compiler: Option<CompilerProgram>) -> Result<Self, LoadError> {
        let failed = |what| move |source| LoadError::Io { what, path: dir.to_owned(), source };
        if !dir.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed("making the folder"))?;
        }
        let own = fs::metadata("/proc/self").map_err(failed("finding our own user"))?.uid();
        let meta = fs::symlink_metadata(dir).map_err(failed("looking at the folder"))?;
        if !meta.is_dir() || meta.uid() != own || meta.mode() & 0o022 != 0 {
            return Err(LoadError::UnsafeCache { path: dir.to_owned() });
        }
        trim(dir, LARGEST);
        Ok(Self { dir: dir.to_owned(), compiler })
    }

    /// The compiled form of a component, made before or now. The error is a text about the component.
    pub(crate) async fn compiled(&self, engine: &Engine, digest: &str, wasm: &[u8]) -> Result<Compiled, String> {
        let path = self.dir.join(key(engine, digest));
        let failed = |e: io::Error| format!("its compiled form {} cannot be opened: {e}", path.display());
        let kept = match fs::File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let bytes = compile(self.compiler.as_ref(), engine, wasm).await?;
                self.keep(&path, &bytes).map_err(|e| format!("its compiled form cannot be kept: {e}"))?;
                fs::File::open(&path)
            }
            opened => opened,
        };
        let file = kept.map_err(failed)?;
        // The latest used are kept; where that cannot be written, the latest made.
        let _ = file.set_modified(SystemTime::now());
        runnable(file).map(Compiled::kept).map_err(failed)
    }

    fn keep(&self, path: &Path, compiled: &[u8]) -> io::Result<()> {
        // Two loads of one component may keep it at the same time.
        static WRITES: AtomicU64 = AtomicU64::new(0);
        let own = WRITES.fetch_add(1, Ordering::Relaxed);
        let beside = path.with_extension(format!("{}-{own}.new", std::process::id()));
        let mut file = fs::File::create(&beside)?;
        file.write_all(compiled)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        trim(&self.dir, LARGEST);
        Ok(())
    }
}

/// Takes the least lately used away. Who runs from one goes on; who wants it later compiles it anew.
fn trim(dir: &Path, largest: u64) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut all: Vec<(SystemTime, u64, PathBuf)> = entries
        .filter_map(|entry| {
            let meta = entry.metadata().ok()?;
            Some((meta.modified().ok()?, meta.len(), entry.path()))
        })
        .collect();
    all.sort();
    let mut kept = 0u64;
    for (_, bytes, path) in all.iter().rev() {
        kept = kept.saturating_add(*bytes);
        if kept > largest {
            let _ = fs::remove_file(path);
        }
    }
}

fn key(engine: &Engine, digest: &str) -> String {
    struct Into256(Sha256);
    impl Hasher for Into256 {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut hasher = Into256(Sha256::new());
    // Version, settings and the CPU's features, as wasmtime itself checks them.
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.update(digest.as_bytes());
    let name: String = hasher.0.finalize().iter().map(|b| format!("{b:02x}")).collect();
    format!("{name}.cwasm")
}

/// A file whose code can be mapped to run: a folder on a file system that runs nothing gives a copy in memory.
fn runnable(file: fs::File) -> io::Result<fs::File> {
    use rustix::fs::{MemfdFlags, SealFlags, StatVfsMountFlags};
    if !rustix::fs::fstatvfs(&file)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return Ok(file);
    }
    let copy = rustix::fs::memfd_create("davit-compiled", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut copy = fs::File::from(copy);
    io::copy(&mut &file, &mut copy)?;
    rustix::fs::fcntl_add_seals(&copy, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_latest_used_forms_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for age in 0..20 {
            let mut file = fs::File::create(dir.path().join(format!("{age}.cwasm"))).unwrap();
            file.write_all(&[0; 100]).unwrap();
            file.set_modified(now - Duration::from_secs(age * 60)).unwrap();
        }
        trim(dir.path(), 1250);
        let kept = |age: usize| dir.path().join(format!("{age}.cwasm")).exists();
        assert!((0..12).all(kept) && !(12..20).any(kept));
    }

    #[test]
    fn a_form_in_a_folder_that_runs_nothing_is_run_from_memory() {
        use rustix::{
            fs::{Mode, OFlags, openat},
            mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
        };
        // A file system that is mounted nowhere.
        let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        fsconfig_create(&context).unwrap();
        let root = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_NOEXEC).unwrap();
        let file = openat(&root, "form", OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR).unwrap();
        let mut file = fs::File::from(file);
        file.write_all(b"code").unwrap();
        let mut copy =
            runnable(fs::File::from(openat(&root, "form", OFlags::CLOEXEC, Mode::empty()).unwrap())).unwrap();
        assert_eq!(fs::read(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&copy))).unwrap(), b"code");
        assert!(copy.write_all(b"other").is_err(), "it is sealed");
    }
}
