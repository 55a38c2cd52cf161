//! The program that writes erofs images: Debian's `mkfs.erofs` (package erofs-utils), with typed arguments, an empty
//! environment, descriptors for the tree and the image, and a deadline. It ends with the thread that waits for it, hence
//! with the daemon.

use crate::{
    dirs::{self, BENEATH, DIR},
    error::{IoContext, Result, StoreError},
};
use davit_sys::child;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Dir, FileType, MemfdFlags, Mode},
    process::{Pid, PidfdFlags, pidfd_open},
};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// The one format that there is a writer of.
pub(crate) const EROFS: &str = "erofs";

const PROGRAM: &str = "mkfs.erofs";
const PACKAGE: &str = "erofs-utils";
/// Where a system's own programs are.
const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// For the largest layer that may be unpacked, on a slow disk.
const DEADLINE: Duration = Duration::from_secs(30 * 60);
/// How often it is asked whether anybody still wants the image.
const ASKING: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The same tree gives the same image: in the superblock stands a time that no file has. Times later than this one would
/// be cut to it, and there are none: it is as late as a time can be.
const TIME: &str = "18446744073709551614";

/// The program, where it is installed.
pub(crate) fn program() -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(PROGRAM)).find(|path| path.is_file())
}

/// Writes an image of `tree` into the empty file `image`, with owners, modes, times, attributes, links and devices.
/// Blocks; `shown` is the image's name for people.
pub(crate) fn write(tree: OwnedFd, image: &OwnedFd, shown: &str, cancel: &AtomicBool) -> Result<()> {
    let program = program().ok_or_else(|| StoreError::Writer {
        image: shown.into(),
        why: format!("{PROGRAM} is not installed; install the package {PACKAGE}"),
    })?;
    if let Some(path) = left_out(&tree)? {
        let why = format!("{PROGRAM} cannot write the entry {path}");
        return Err(StoreError::Writer { image: shown.into(), why });
    }
    let image = image.try_clone().doing("write image", shown)?;
    let said = rustix::fs::memfd_create("mkfs", MemfdFlags::CLOEXEC).doing("keep the words of", PROGRAM)?;
    let mut command = Command::new(program);
    command.args(["--quiet", "--preserve-mtime", "-U", &identity(shown)]);
    command.arg(path_of(&image)).arg(path_of(&tree));
    command.env_clear().env("SOURCE_DATE_EPOCH", TIME).env("LC_ALL", "C").current_dir("/");
    let errors = said.try_clone().doing("keep the words of", PROGRAM)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    let mut running = child::tied(&mut command, vec![tree, image]).spawn().doing("start", PROGRAM)?;
    let status = match wait(&mut running, cancel) {
        Ok(status) => status,
        Err(e) => {
            // It may have ended by itself meanwhile.
            let _ = running.kill();
            running.wait().doing("wait for", PROGRAM)?;
            return Err(e);
        }
    };
    if status.success() { Ok(()) } else { Err(failure(shown, status, said)) }
}

/// The image's identity (a UUID of version 8), the same for the same name: overlayfs tells its layers apart by it.
fn identity(shown: &str) -> String {
    let digest = Sha256::digest(shown);
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(&digest).for_each(|(to, from)| *to = *from);
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0b11 << 62) | (8 << 76) | (0b10 << 62);
    let hex = format!("{number:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    parts.join("-")
}

/// The first entry that the program would leave out without a word (what is called `lost+found…`), or not find again (a
/// name of the greatest length).
fn left_out(tree: &OwnedFd) -> Result<Option<String>> {
    // Paths instead of recursion: depth costs neither stack nor descriptors.
    let mut waiting = vec![b".".to_vec()];
    while let Some(path) = waiting.pop() {
        let shown = |path: &[u8]| String::from_utf8_lossy(path).chars().take(300).collect::<String>();
        let folder = rustix::fs::openat2(tree, path.as_slice(), DIR, Mode::empty(), BENEATH);
        let folder = folder.doing("open folder", shown(&path))?;
        for entry in Dir::read_from(&folder).doing("list", shown(&path))? {
            let entry = entry.doing("list", shown(&path))?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let child = [path.as_slice(), b"/", name].concat();
            if name.starts_with(b"lost+found") || name.len() > 254 {
                return Ok(Some(shown(&child)));
            }
            let is_folder = match entry.file_type() {
                FileType::Unknown => dirs::kind(&folder, entry.file_name())? == Some(FileType::Directory),
                known => known == FileType::Directory,
            };
            if is_folder {
                waiting.push(child);
            }
        }
    }
    Ok(None)
}

/// An open file as the program reaches it.
fn path_of(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn wait(running: &mut Child, cancel: &AtomicBool) -> Result<ExitStatus> {
    let begun = Instant::now();
    let pid = i32::try_from(running.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| StoreError::io("wait for", PROGRAM, io::Error::from(io::ErrorKind::InvalidData)))?;
    let ended = pidfd_open(pid, PidfdFlags::empty()).doing("wait for", PROGRAM)?;
    loop {
        if let Some(status) = running.try_wait().doing("wait for", PROGRAM)? {
            return Ok(status);
        }
        if cancel.load(Ordering::Relaxed) {
            return Err(StoreError::Cancelled);
        }
        if begun.elapsed() > DEADLINE {
            return Err(StoreError::io("wait for", PROGRAM, io::Error::from(io::ErrorKind::TimedOut)));
        }
        match poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&ASKING)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(StoreError::io("wait for", PROGRAM, e)),
        }
    }
}

/// What it said, told from what it was about: a full disk is one whoever writes.
fn failure(shown: &str, status: ExitStatus, said: OwnedFd) -> StoreError {
    let mut words = Vec::new();
    let mut said = File::from(said);
    // Where its words are lost, its status is left.
    let _ = said.rewind().and_then(|()| said.take(4096).read_to_end(&mut words));
    let words = String::from_utf8_lossy(&words);
    if words.contains("No space left on device") || words.contains("Disk quota exceeded") {
        return StoreError::NoSpace { op: "write image", object: shown.into() };
    }
    let words: String = words.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    StoreError::Writer { image: shown.into(), why: format!("{PROGRAM}: {status}: {words}") }
}
