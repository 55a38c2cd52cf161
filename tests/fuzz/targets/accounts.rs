//! An image's `/etc/passwd` and `/etc/group`, and the user that is looked for in them. Three parts, each ended by a zero byte.
#![no_main]

use davit_runtime::users;
use libfuzzer_sys::fuzz_target;
use rustix::fs::{CWD, Mode, OFlags};
use std::{fs, os::fd::AsFd, path::Path, sync::OnceLock};

/// A root of its own, emptied by nobody: each input writes both files anew.
fn root() -> &'static tempfile::TempDir {
    static ROOT: OnceLock<tempfile::TempDir> = OnceLock::new();
    ROOT.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder");
        fs::create_dir(dir.path().join("etc")).expect("a folder");
        dir
    })
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |b| *b == 0);
    let (spec, passwd, group) = (parts.next(), parts.next(), parts.next());
    let Ok(spec) = std::str::from_utf8(spec.unwrap_or_default()) else { return };
    let root = root().path();
    fs::write(root.join("etc/passwd"), passwd.unwrap_or_default()).expect("written");
    fs::write(root.join("etc/group"), group.unwrap_or_default()).expect("written");
    let dir = rustix::fs::openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).expect("opened");
    if let Ok(who) = users::resolve(dir.as_fd(), spec, &[spec.to_owned()]) {
        // Past 2^31 the kernel has ids that mean "none".
        assert!(who.uid <= i32::MAX as u32 && who.groups.iter().chain([&who.gid]).all(|id| *id <= i32::MAX as u32));
        assert_eq!(who.groups.first(), Some(&who.gid));
    }
});
