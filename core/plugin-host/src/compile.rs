//! From a component's bytes to a compiled form, kept in a folder of ours: keyed by the component's digest, wasmtime's
//! version, and its settings with the CPU's features. How a form comes to run is [`crate::compiled`]. Loading a compiled form runs its code, so the folder must belong
//! to us and nobody else may write to it; a compiled form is never taken from anywhere else.
//!
//! Compilers have bugs and a component is input. Where a program to compile is given, compiling happens there, in a
//! child with a time limit that gives up its rights; else in this process.

use crate::{compiled::Compiled, engine, error::LoadError};
use sha2::{Digest, Sha256};
use std::{
    ffi::OsString,
    fs,
    hash::{Hash, Hasher},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wasmtime::Engine;

const DEADLINE: Duration = Duration::from_secs(120);
const LARGEST_COMPONENT: u64 = 64 << 20;

/// A program that calls [`compile_stdin`] when it is started with these arguments.
#[derive(Clone, Debug)]
pub struct CompilerProgram {
    /// The program, usually `/proc/self/exe`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

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
        Ok(Self { dir: dir.to_owned(), compiler })
    }

    /// The compiled form of a component, made before or now. The error is a text about the component.
    pub(crate) async fn compiled(&self, engine: &Engine, digest: &str, wasm: &[u8]) -> Result<Compiled, String> {
        let path = self.dir.join(key(engine, digest));
        let failed = |e: io::Error| format!("its compiled form {} cannot be opened: {e}", path.display());
        let kept = match fs::File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let bytes = self.compile(engine, wasm).await?;
                self.keep(&path, &bytes).map_err(|e| format!("its compiled form cannot be kept: {e}"))?;
                fs::File::open(&path)
            }
            opened => opened,
        };
        runnable(kept.map_err(failed)?).map(Compiled::kept).map_err(failed)
    }

    async fn compile(&self, engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>, String> {
        match &self.compiler {
            Some(program) => compile_in_child(program, wasm).await,
            None => {
                let (engine, wasm) = (engine.clone(), wasm.to_vec());
                let work = tokio::task::spawn_blocking(move || engine.precompile_component(&wasm));
                match tokio::time::timeout(DEADLINE, work).await {
                    Ok(Ok(compiled)) => compiled.map_err(|e| format!("it does not compile: {e:#}")),
                    Ok(Err(_)) => Err("compiling it failed within the compiler".to_owned()),
                    Err(_) => Err(format!("compiling it took more than {} s", DEADLINE.as_secs())),
                }
            }
        }
    }

    fn keep(&self, path: &Path, compiled: &[u8]) -> io::Result<()> {
        // Two loads of one component may keep it at the same time.
        static WRITES: AtomicU64 = AtomicU64::new(0);
        let own = WRITES.fetch_add(1, Ordering::Relaxed);
        let beside = path.with_extension(format!("{}-{own}.new", std::process::id()));
        let mut file = fs::File::create(&beside)?;
        file.write_all(compiled)?;
        file.sync_all()?;
        fs::rename(&beside, path)
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

/// Compiles in a child: the component goes to its standard input, the compiled form comes from its standard output.
/// It confines itself (`crate::apart`), and is ended after two minutes.
///
/// # Errors
/// A text about the component, or about the child.
pub async fn compile_in_child(compiler: &CompilerProgram, wasm: &[u8]) -> Result<Vec<u8>, String> {
    let mut command = tokio::process::Command::new(&compiler.program);
    command.args(&compiler.arguments).env_clear().current_dir("/").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = compiler.program.display();
    let mut child = command.spawn().map_err(|e| format!("the compiler {program} cannot be started: {e}"))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let talk = async {
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A child that ends early says why on its standard error.
                let _early = stdin.write_all(wasm).await;
            }
        };
        let read = async {
            let mut compiled = Vec::new();
            if let Some(mut stdout) = stdout {
                stdout.read_to_end(&mut compiled).await?;
            }
            Ok::<_, io::Error>(compiled)
        };
        let said = async {
            let mut text = Vec::new();
            if let Some(stderr) = stderr {
                stderr.take(4096).read_to_end(&mut text).await?;
            }
            Ok::<_, io::Error>(text)
        };
        let ((), compiled, said) = tokio::join!(feed, read, said);
        let status = child.wait().await?;
        Ok::<_, io::Error>((status, compiled?, said?))
    };
    match tokio::time::timeout(DEADLINE, talk).await {
        Ok(Ok((status, compiled, _))) if status.success() => Ok(compiled),
        Ok(Ok((status, _, said))) => {
            Err(format!("it does not compile: {} ({status})", String::from_utf8_lossy(&said).trim()))
        }
        Ok(Err(e)) => Err(format!("the compiler {program} cannot be talked to: {e}")),
        Err(_) => Err(format!("compiling it took more than {} s", DEADLINE.as_secs())),
    }
}

/// The child's part of [`compile_in_child`]: call this where the program was started to compile, and end afterwards.
///
/// # Errors
/// A text for standard error.
pub fn compile_stdin() -> Result<(), String> {
    let mut wasm = Vec::new();
    io::stdin().take(LARGEST_COMPONENT).read_to_end(&mut wasm).map_err(|e| format!("reading the component: {e}"))?;
    let engine = engine::engine().map_err(|e| format!("setting up the compiler: {e:#}"))?;
    let compiled = engine.precompile_component(&wasm).map_err(|e| format!("{e:#}"))?;
    io::stdout().write_all(&compiled).map_err(|e| format!("writing the compiled form: {e}"))
}
