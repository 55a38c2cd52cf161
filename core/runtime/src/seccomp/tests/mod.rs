//! The emitter against libseccomp, the loaded filter against the kernel, profiles and the cache by table.

mod against_kernel;
mod against_libseccomp;
mod profiles;

use super::{Facts, default_profile, profile::kernel_version};
use oci_spec::runtime::LinuxSeccomp;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

/// Docker's default set.
const CAPS: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

fn caps(more: &[&str]) -> BTreeSet<String> {
    CAPS.iter().chain(more).map(|c| (*c).to_owned()).collect()
}

fn default_with(more: &[&str]) -> LinuxSeccomp {
    default_profile(&Facts { caps: &caps(more), kernel: (6, 1) }).unwrap()
}

/// Compiles a C program of the tests; says why where it cannot.
fn compiled(source: &str, dir: &Path, name: &str, options: &[&str]) -> Option<PathBuf> {
    let (input, output) = (dir.join(format!("{name}.c")), dir.join(name));
    std::fs::write(&input, source).unwrap();
    match Command::new("cc").arg("-O1").arg("-o").arg(&output).arg(&input).args(options).output() {
        Ok(done) if done.status.success() => Some(output),
        Ok(done) => {
            let why = String::from_utf8_lossy(&done.stderr);
            eprintln!("skipped: cc {}: {}", options.join(" "), why.lines().next().unwrap_or_default());
            None
        }
        Err(e) => {
            eprintln!("skipped: cc: {e}");
            None
        }
    }
}

#[test]
fn kernel_releases_are_read() {
    assert_eq!(kernel_version("6.1.0-32-cloud-amd64"), Some((6, 1)));
    assert_eq!(kernel_version("4.8-rc5"), Some((4, 8)));
    assert_eq!(kernel_version("7"), None);
}
