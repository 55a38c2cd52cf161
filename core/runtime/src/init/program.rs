//! The program: found in the container's own PATH, checked before leave to start is asked for, and become.

use crate::failure::{Failure, Stage, reason};
use davit_sys::exec;
use nix::libc;
use rustix::fs::{AtFlags, CWD, FileType};
use std::ffi::CString;
use std::io;

/// Where programs are looked for when the environment names no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program that was found, with what it is given.
#[derive(Debug)]
pub(super) struct Program {
    name: String,
    path: CString,
    args: Vec<CString>,
    env: Vec<CString>,
}

/// Finds the program of `args` as the process's own root and working directory have it. The errors are Docker's words.
pub(super) fn find(args: &[String], env: &[String]) -> Result<Program, Failure> {
    let name =
        args.first().filter(|n| !n.is_empty()).ok_or_else(|| Failure::new(Stage::Lookup, "no command specified"))?;
    let path = if name.contains('/') {
        match executable(name) {
            Ok(()) => name.clone(),
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => {
                return Err(lookup(name, &format!("stat {name}: {}", reason(&e)), &e));
            }
            Err(e) => return Err(lookup(name, &reason(&e), &e)),
        }
    } else {
        in_path(name, env)?
    };
    let strings = |list: &[String]| list.iter().map(|s| CString::new(s.as_str())).collect::<Result<Vec<_>, _>>();
    let nul = |_| Failure::new(Stage::Request, "an argument or environment value has a zero byte");
    Ok(Program {
        name: name.clone(),
        path: CString::new(path).map_err(nul)?,
        args: strings(args).map_err(nul)?,
        env: strings(env).map_err(nul)?,
    })
}

fn in_path(name: &str, env: &[String]) -> Result<String, Failure> {
    let path = env.iter().rev().find_map(|e| e.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let mut denied = None;
    for folder in path.split(':') {
        let candidate = format!("{}/{name}", if folder.is_empty() { "." } else { folder });
        match executable(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => denied = Some(e),
            Err(_) => {}
        }
    }
    match denied {
        Some(e) => Err(lookup(name, &reason(&e), &e)),
        None => Err(Failure {
            stage: Stage::Lookup,
            message: format!("exec: {name:?}: executable file not found in $PATH"),
            errno: Some(libc::ENOENT),
        }),
    }
}

fn lookup(name: &str, why: &str, error: &io::Error) -> Failure {
    Failure { stage: Stage::Lookup, message: format!("exec: {name:?}: {why}"), errno: error.raw_os_error() }
}

/// A file with any execute bit; whether this very user may is for the kernel to say.
fn executable(path: &str) -> io::Result<()> {
    let stat = rustix::fs::statat(CWD, path, AtFlags::empty())?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    if stat.st_mode & 0o111 == 0 {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    Ok(())
}

impl Program {
    /// Becomes the program; comes back only with the reason why not.
    pub(super) fn exec(&self) -> Failure {
        let error = exec::execve(&self.path, &self.args, &self.env);
        Failure {
            stage: Stage::Exec,
            message: format!("exec {}: {}", self.name, reason(&error)),
            errno: error.raw_os_error(),
        }
    }
}
