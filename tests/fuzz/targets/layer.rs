//! Layer archives, as any registry may send them. The first byte chooses the style of whiteouts. Whatever is in them,
//! nothing is made outside of the folder that they are unpacked into.
#![no_main]

use davit_model::storage::WhiteoutStyle;
use davit_store::{Limits, UnpackOptions, unpack};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{CWD, Mode, OFlags};
use std::{fs, io::Cursor, os::fd::AsFd, path::Path};

fuzz_target!(|data: &[u8]| {
    let Some((style, archive)) = data.split_first() else { return };
    let whiteouts = match style % 3 {
        0 => WhiteoutStyle::Overlay,
        1 => WhiteoutStyle::OverlayUser,
        _ => WhiteoutStyle::Apply,
    };
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder");
    let into = dir.path().join("into");
    fs::create_dir(&into).expect("a folder");
    fs::write(dir.path().join("outside"), "untouched").expect("written");
    let fd = rustix::fs::openat(CWD, &into, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("opened");
    let options = UnpackOptions {
        media_type: "application/vnd.oci.image.layer.v1.tar".to_owned(),
        whiteouts,
        limits: Limits { bytes: 1 << 20, ratio: 200, free: 1 << 20, entries: 1000 },
        cancel: Default::default(),
    };
    // Either is fine.
    let _ = unpack(fd.as_fd(), Box::new(Cursor::new(archive.to_vec())), &options);
    let mut names: Vec<_> = fs::read_dir(dir.path()).expect("read").map(|e| e.expect("read").file_name()).collect();
    names.sort();
    assert_eq!(names, ["into", "outside"]);
    assert_eq!(fs::read(dir.path().join("outside")).expect("read"), b"untouched");
});
