//! The rows of "Layer archives" in the list of attacks, and what honest archives hold. Real files, as root.

use super::*;
use crate::testing::{Tar, digest};
use std::{
    collections::BTreeMap,
    io::Cursor,
    os::{
        fd::AsFd,
        unix::{
            ffi::{OsStrExt, OsStringExt},
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
        },
    },
    path::{Path, PathBuf},
    process::Command,
};
use tar::EntryType;

/// A folder to unpack into, with something beside it that no archive may reach.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("into")).unwrap();
        std::fs::write(dir.path().join("outside"), "untouched").unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("into").join(name)
    }

    fn unpack_as(&self, style: WhiteoutStyle, bytes: Vec<u8>, limits: Limits) -> Result<Unpacked> {
        let into = std::fs::File::open(self.path("")).unwrap();
        let options =
            Options { media_type: String::new(), whiteouts: style, limits, cancel: Arc::new(AtomicBool::new(false)) };
        let done = unpack(into.as_fd(), Box::new(Cursor::new(bytes)), &options);
        assert_eq!(std::fs::read(self.dir.path().join("outside")).unwrap(), b"untouched");
        assert_eq!(std::fs::read_dir(self.dir.path()).unwrap().count(), 2, "nothing new outside");
        done
    }

    fn unpack(&self, bytes: Vec<u8>) -> Result<Unpacked> {
        self.unpack_as(WhiteoutStyle::Overlay, bytes, Limits::default())
    }

    fn refuses(bytes: Vec<u8>, why: &str) {
        for style in [WhiteoutStyle::Overlay, WhiteoutStyle::Apply] {
            let e = Self::new().unpack_as(style, bytes.clone(), Limits::default()).expect_err(why);
            assert!(e.to_string().contains(why), "{e}, expected {why}");
        }
    }
}

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 256];
    rustix::fs::lgetxattr(path, name, &mut value[..]).ok().map(|n| value[..n].to_vec())
}

#[test]
fn names_that_lead_up_are_refused_and_absolute_ones_stay_inside() {
    Place::refuses(Tar::new().file("../outside", b"x").done(), "leads out of the layer");
    Place::refuses(Tar::new().file("a/../../outside", b"x").done(), "leads out of the layer");
    Place::refuses(Tar::new().file(".wh...", b"").done(), "whiteout of nothing");
    let place = Place::new();
    place.unpack(Tar::new().file("/etc/shadow", b"x").done()).unwrap();
    assert_eq!(std::fs::read(place.path("etc/shadow")).unwrap(), b"x");
}

#[test]
fn a_symlink_is_never_a_parent() {
    for target in ["/", "..", "../..", "real"] {
        let archive = Tar::new().dir("real/").symlink("link", target).file("link/outside", b"x").done();
        Place::refuses(archive, "not a folder but a file or link of the same layer");
        let archive = Tar::new().dir("real/").symlink("link", target).file("link/.wh.outside", b"").done();
        for style in [WhiteoutStyle::Overlay, WhiteoutStyle::Apply] {
            let place = Place::new();
            let _ = place.unpack_as(style, archive.clone(), Limits::default());
        }
        let archive = Tar::new().dir("real/").file("real/x", b"").symlink("link", target);
        let archive = archive.file("link/.wh..wh..opq", b"").done();
        let place = Place::new();
        let _ = place.unpack_as(WhiteoutStyle::Apply, archive, Limits::default());
        assert!(place.path("real/x").exists());
    }
}

#[test]
fn a_lower_layers_symlink_gives_way_to_a_folder_as_beneath_an_overlay() {
    let place = Place::new();
    std::os::unix::fs::symlink("../", place.path("link")).unwrap();
    place.unpack_as(WhiteoutStyle::Apply, Tar::new().file("link/outside", b"x").done(), Limits::default()).unwrap();
    assert!(std::fs::symlink_metadata(place.path("link")).unwrap().is_dir());
}

#[test]
fn hard_links_reach_files_of_the_layer_only() {
    Place::refuses(Tar::new().hardlink("a", "../outside").done(), "leads out of the layer");
    Place::refuses(Tar::new().symlink("d", "..").hardlink("a", "d/outside").done(), "target is not in the layer");
    Place::refuses(Tar::new().hardlink("a", "/nothing").done(), "target is not in the layer");
    Place::refuses(Tar::new().dir("d/").hardlink("a", "d").done(), "target is a folder");
    let place = Place::new();
    let archive = Tar::new().file("a", b"x").hardlink("b", "/a").symlink("s", "/etc/passwd").hardlink("t", "s").done();
    place.unpack(archive).unwrap();
    let ino = |n: &str| std::fs::symlink_metadata(place.path(n)).unwrap().ino();
    assert_eq!(ino("a"), ino("b"));
    assert_eq!(ino("s"), ino("t"), "the link itself, not what it points at");
    // In a tree that holds the lower layers, their files can be linked to.
    let place = Place::new();
    std::fs::write(place.path("low"), "1").unwrap();
    place.unpack_as(WhiteoutStyle::Apply, Tar::new().hardlink("b", "low").done(), Limits::default()).unwrap();
    assert_eq!(std::fs::metadata(place.path("b")).unwrap().nlink(), 2);
}

#[test]
fn whiteouts_are_written_as_the_kernel_reads_them() {
    let place = Place::new();
    place.unpack(Tar::new().file("d/.wh.gone", b"").file("o/.wh..wh..opq", b"").done()).unwrap();
    let gone = std::fs::symlink_metadata(place.path("d/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    assert_eq!(xattr(&place.path("o"), "trusted.overlay.opaque").unwrap(), b"y");
    let place = Place::new();
    let archive = Tar::new().file("o/.wh..wh..opq", b"").done();
    place.unpack_as(WhiteoutStyle::OverlayUser, archive, Limits::default()).unwrap();
    assert_eq!(xattr(&place.path("o"), "user.overlay.opaque").unwrap(), b"y");
}

#[test]
fn a_whiteout_spares_what_its_own_layer_brings_whichever_comes_first() {
    let file_last = Tar::new().file(".wh.a", b"").file("a", b"new").done();
    let file_first = Tar::new().file("a", b"new").file(".wh.a", b"").done();
    let dir_last = Tar::new().file(".wh.d", b"").dir("d/").file("d/n", b"").done();
    let dir_first = Tar::new().dir("d/").file("d/n", b"").file(".wh.d", b"").done();
    let dir_implied = Tar::new().file(".wh.d", b"").file("d/n", b"").done();
    for archive in [file_last, file_first] {
        for style in [WhiteoutStyle::Overlay, WhiteoutStyle::Apply] {
            let place = Place::new();
            if style == WhiteoutStyle::Apply {
                std::fs::write(place.path("a"), "old").unwrap();
            }
            place.unpack_as(style, archive.clone(), Limits::default()).unwrap();
            assert_eq!(std::fs::read(place.path("a")).unwrap(), b"new");
        }
    }
    for archive in [dir_last, dir_first, dir_implied] {
        let place = Place::new();
        place.unpack(archive.clone()).unwrap();
        assert!(place.path("d/n").exists());
        assert_eq!(xattr(&place.path("d"), "trusted.overlay.opaque").unwrap(), b"y", "lower contents stay hidden");
        let place = Place::new();
        std::fs::create_dir_all(place.path("d/deep")).unwrap();
        std::fs::write(place.path("d/deep/old"), "").unwrap();
        place.unpack_as(WhiteoutStyle::Apply, archive, Limits::default()).unwrap();
        assert!(place.path("d/n").exists() && !place.path("d/deep").exists());
    }
}

#[test]
fn an_applied_opaque_marker_spares_its_own_layer() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("d/sub")).unwrap();
    std::fs::write(place.path("d/sub/old"), "").unwrap();
    let archive = Tar::new().dir("d/").file("d/sub/new", b"").file("d/.wh..wh..opq", b"").done();
    place.unpack_as(WhiteoutStyle::Apply, archive, Limits::default()).unwrap();
    assert!(place.path("d/sub/new").exists() && !place.path("d/sub/old").exists());
}

#[test]
fn devices_fifos_and_set_id_bits_are_kept_whatever_the_umask() {
    let device = |h: &mut tar::Header| {
        h.set_device_major(1).unwrap();
        h.set_device_minor(3).unwrap();
        h.set_mode(0o666);
    };
    let archive = Tar::new()
        .raw(EntryType::Char, b"null", b"", b"", device)
        .raw(EntryType::Fifo, b"fifo", b"", b"", |h| h.set_mode(0o622))
        .raw(EntryType::Regular, b"su", b"", b"elf", |h| {
            h.set_mode(0o6755);
            h.set_uid(7);
            h.set_gid(8);
        })
        .raw(EntryType::Directory, b"tmp/", b"", b"", |h| h.set_mode(0o1777))
        .done();
    let place = Place::new();
    place.unpack(archive).unwrap();
    let look = |n: &str| std::fs::symlink_metadata(place.path(n)).unwrap();
    assert_eq!((look("null").mode(), look("null").rdev()), (0o020_666, rustix::fs::makedev(1, 3)));
    assert_eq!(look("fifo").mode(), 0o010_622);
    assert_eq!((look("su").mode(), look("su").uid(), look("su").gid()), (0o106_755, 7, 8));
    assert_eq!(look("tmp").permissions().mode() & 0o7777, 0o1777);
    Place::refuses(Tar::new().raw(EntryType::Char, b"w", b"", b"", |_| {}).done(), "overlayfs's whiteout");
}

#[test]
fn attributes_follow_the_table() {
    // Version 2, no root id, cap_net_raw permitted and effective.
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let records: &[(&str, &[u8])] = &[
        ("SCHILY.xattr.security.capability", &capability),
        ("SCHILY.xattr.user.note", b"a\0b\n"),
        ("SCHILY.xattr.user.overlay.opaque", b"y"),
        ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ("SCHILY.xattr.security.selinux", b"x"),
    ];
    let place = Place::new();
    place.unpack(Tar::new().pax(records).file("ping", b"elf").pax(records).dir("d/").done()).unwrap();
    for name in ["ping", "d"] {
        let path = place.path(name);
        assert_eq!(xattr(&path, "user.note").unwrap(), b"a\0b\n");
        for dropped in ["user.overlay.opaque", "trusted.overlay.opaque", "security.selinux"] {
            assert_eq!(xattr(&path, dropped), None, "{dropped}");
        }
    }
    assert_eq!(xattr(&place.path("ping"), "security.capability").unwrap(), capability);
}

#[test]
fn of_duplicates_the_last_wins_whatever_the_types() {
    let archive = Tar::new()
        .file("a", b"1")
        .file("a", b"2")
        .dir("b/")
        .file("b/x", b"")
        .file("b", b"file")
        .file("c", b"")
        .dir("c/")
        .file("c/y", b"y")
        .symlink("d", "a")
        .file("d", b"own")
        .done();
    let place = Place::new();
    place.unpack(archive).unwrap();
    let read = |n: &str| std::fs::read(place.path(n)).unwrap();
    assert_eq!(
        (read("a"), read("b"), read("c/y"), read("d")),
        (b"2".into(), b"file".into(), b"y".into(), b"own".into())
    );
    assert_eq!(read("a"), b"2", "the link's target was not written to");
}

#[test]
fn names_need_no_encoding_and_may_be_long() {
    let place = Place::new();
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(250));
    let gnu = Tar::new().raw(EntryType::GNULongName, b"././@LongLink", b"", format!("{long}2\0").as_bytes(), |_| {});
    let archive = gnu.file("short", b"g").pax(&[("path", long.as_bytes())]).file("short", b"p");
    let archive = archive.raw(EntryType::Regular, b"caf\xe9", b"", b"l", |_| {}).done();
    place.unpack(archive).unwrap();
    assert_eq!(std::fs::read(place.path(&long)).unwrap(), b"p");
    assert_eq!(std::fs::read(place.path(&format!("{long}2"))).unwrap(), b"g");
    let latin = std::ffi::OsString::from_vec(b"caf\xe9".to_vec());
    assert!(place.path("").join(latin).exists());
}

#[test]
fn extension_headers_are_bounded() {
    let value = vec![b'x'; 1 << 20];
    Place::refuses(Tar::new().pax(&[("comment", &value)]).file("a", b"").done(), "an extension header of");
    let value = vec![b'x'; (1 << 20) - 100];
    Place::new().unpack(Tar::new().pax(&[("comment", &value)]).file("a", b"").done()).unwrap();
}

#[test]
fn implied_parents_look_like_the_nearest_lower_layers() {
    let (lower, place) = (Place::new(), Place::new());
    let dir = |h: &mut tar::Header| {
        h.set_mode(0o2750);
        h.set_uid(5);
    };
    lower.unpack(Tar::new().raw(EntryType::Directory, b"srv/", b"", b"", dir).done()).unwrap();
    let done = place.unpack(Tar::new().file("srv/new/file", b"").done()).unwrap();
    assert_eq!(done.implied, [b"srv".to_vec(), b"srv/new".to_vec()]);
    let open = |p: &Place| std::fs::File::open(p.path("")).unwrap().into();
    adopt_implied(&open(&place), &done.implied, &[open(&lower)]).unwrap();
    let look = |n: &str| std::fs::metadata(place.path(n)).unwrap();
    assert_eq!((look("srv").mode() & 0o7777, look("srv").uid()), (0o2750, 5));
    assert_eq!((look("srv/new").mode() & 0o7777, look("srv/new").uid()), (0o755, 0));
}

#[test]
fn times_of_folders_are_those_of_the_archive() {
    let place = Place::new();
    place.unpack(Tar::new().dir("d/").file("d/a", b"").pax(&[("mtime", b"-1.5")]).file("e", b"").done()).unwrap();
    let look = |n: &str| std::fs::metadata(place.path(n)).unwrap();
    assert_eq!(look("d").mtime(), 1_000_000_000);
    assert_eq!((look("e").mtime(), look("e").mtime_nsec()), (-2, 500_000_000));
}

#[test]
fn the_diff_id_counts_every_byte_of_the_stream() {
    let archive = Tar::new().file("a", b"a").done();
    let padded = [archive.clone(), vec![0; 8192]].concat();
    for bytes in [archive, padded] {
        assert_eq!(Place::new().unpack(bytes.clone()).unwrap().diff_id, digest(&bytes));
        let zstd = zstd::encode_all(Cursor::new(&bytes), 1).unwrap();
        assert_eq!(Place::new().unpack(zstd).unwrap().diff_id, digest(&bytes));
        // Two gzip members and two zstd frames are one stream each.
        let (one, two) = bytes.split_at(700);
        let frames = [one, two].map(|b| zstd::encode_all(Cursor::new(b), 1).unwrap()).concat();
        assert_eq!(Place::new().unpack(frames).unwrap().diff_id, digest(&bytes));
        let members = [gzip(one), gzip(two)].concat();
        assert_eq!(Place::new().unpack(members).unwrap().diff_id, digest(&bytes));
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn bombs_are_stopped_by_ratio_and_by_size() {
    let zeros = vec![0; 32 << 20];
    let archive = Tar::new().raw(EntryType::Regular, b"zeros", b"", &zeros, |_| {}).done();
    let limits = Limits { free: 1 << 20, ..Limits::default() };
    for bomb in [gzip(&archive), zstd::encode_all(Cursor::new(&archive), 19).unwrap()] {
        let place = Place::new();
        let e = place.unpack_as(WhiteoutStyle::Overlay, bomb.clone(), limits).unwrap_err();
        assert!(e.to_string().contains("grows more than 200-fold"), "{e}");
        assert!(std::fs::metadata(place.path("zeros")).unwrap().len() < 20 << 20, "stopped on the way");
        let limits = Limits { bytes: 4 << 20, ..Limits::default() };
        let e = Place::new().unpack_as(WhiteoutStyle::Overlay, bomb, limits).unwrap_err();
        assert!(e.to_string().contains("more than 4194304 bytes"), "{e}");
    }
    let limits = Limits { entries: 2, ..Limits::default() };
    let archive = Tar::new().file("a", b"").file("b", b"").file("c", b"").done();
    let e = Place::new().unpack_as(WhiteoutStyle::Overlay, archive, limits).unwrap_err();
    assert!(e.to_string().contains("more than 2 entries"), "{e}");
}

#[test]
fn a_truncated_stream_is_told_from_a_short_one() {
    let archive = Tar::new().file("a", &[7; 5000]).done();
    for end in [100, 600, 5000, 5600] {
        Place::refuses(archive[..end].to_vec(), "truncated");
    }
    let packed = gzip(&archive);
    Place::refuses(packed[..packed.len() - 4].to_vec(), "truncated");
    let packed = zstd::encode_all(Cursor::new(&archive), 1).unwrap();
    Place::refuses(packed[..packed.len() - 4].to_vec(), "truncated");
    // An archive without its end marker is whole, as GNU tar has it.
    Place::new().unpack(Tar::new().file("a", b"a").open_ended()).unwrap();
    Place::refuses(vec![b'x'; 2048], "not a tar archive");
}

#[test]
fn content_must_be_what_its_media_type_says() {
    let place = Place::new();
    let into = std::fs::File::open(place.path("")).unwrap();
    let run = |media_type: &str, bytes: Vec<u8>| {
        let options = Options {
            media_type: media_type.into(),
            whiteouts: WhiteoutStyle::Overlay,
            limits: Limits::default(),
            cancel: Arc::new(AtomicBool::new(false)),
        };
        unpack(into.as_fd(), Box::new(Cursor::new(bytes)), &options)
    };
    let archive = Tar::new().file("a", b"").done();
    run("application/vnd.oci.image.layer.v1.tar", archive.clone()).unwrap();
    run("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", gzip(&archive)).unwrap();
    run("application/vnd.docker.image.rootfs.diff.tar.gzip", gzip(&archive)).unwrap();
    let e = run("application/vnd.oci.image.layer.v1.tar+zstd", gzip(&archive)).unwrap_err();
    assert!(e.to_string().contains("says zstd, its content gzip"), "{e}");
    assert!(run("text/plain", archive).is_err());
}

#[test]
fn two_hundred_thousand_entries_are_one_layer() {
    let mut tar = Tar::new();
    for n in 0..200_000 {
        tar =
            if n % 100 == 0 { tar.dir(&format!("d{}/", n / 100)) } else { tar.file(&format!("d{}/{n}", n / 100), b"") };
    }
    let place = Place::new();
    place.unpack(tar.done()).unwrap();
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 2000);
    assert_eq!(std::fs::read_dir(place.path("d1999")).unwrap().count(), 99);
}

/// By path: type and mode, size, content or link.
type Listing = BTreeMap<Vec<u8>, (u32, u64, Vec<u8>)>;

/// Everything below a folder.
fn listing(root: &Path) -> Listing {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let content = match meta.file_type() {
                t if t.is_file() => std::fs::read(&path).unwrap(),
                t if t.is_symlink() => std::fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec(),
                _ => Vec::new(),
            };
            let size = if meta.is_dir() { 0 } else { meta.len() };
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
            if meta.is_dir() {
                waiting.push(path);
            }
            found.insert(name, (meta.mode(), size, content));
        }
    }
    found
}

/// What GNU tar makes of the same bytes.
fn gnu(bytes: &[u8]) -> (tempfile::TempDir, Listing) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.tar");
    std::fs::write(&file, bytes).unwrap();
    let out = dir.path().join("out");
    std::fs::create_dir(&out).unwrap();
    assert!(Command::new("tar").arg("-xpf").arg(&file).arg("-C").arg(&out).status().unwrap().success());
    let found = listing(&out);
    (dir, found)
}

#[test]
fn where_pax_and_ustar_sizes_disagree_we_see_what_gnu_tar_sees() {
    // CVE-2025-62518: the inner archive is data for one reader and entries for another.
    let inner = Tar::new().file("smuggled", b"evil").done();
    let length = inner.len().to_string();
    for header_size in [0, 512, inner.len() as u64] {
        let archive = Tar::new()
            .pax(&[("size", length.as_bytes())])
            .raw(EntryType::Regular, b"payload", b"", &inner, |h| h.set_size(header_size))
            .file("after", b"1")
            .done();
        let (_dir, expected) = gnu(&archive);
        let place = Place::new();
        place.unpack(archive).unwrap();
        let found = listing(&place.path(""));
        assert!(!found.contains_key(b"smuggled".as_slice()));
        assert_eq!(found, expected);
    }
    for kind in [EntryType::Symlink, EntryType::Directory, EntryType::Fifo] {
        let archive = Tar::new().raw(kind, b"x", b"y", &inner, |_| {}).done();
        Place::refuses(archive, "only files carry data");
    }
    let global = Tar::new().raw(EntryType::XGlobalHeader, b"g", b"", b"12 size=999\n", |_| {}).file("a", b"").done();
    Place::refuses(global, "a global PAX header");
}

#[test]
fn gnu_tars_own_archives_unpack_alike_in_every_format() {
    let source = tempfile::tempdir().unwrap();
    let root = source.path();
    std::fs::create_dir_all(root.join("a/b")).unwrap();
    std::fs::write(root.join("a/b/file"), "text").unwrap();
    std::fs::hard_link(root.join("a/b/file"), root.join("a/hard")).unwrap();
    std::os::unix::fs::symlink("b/file", root.join("a/soft")).unwrap();
    let sparse = std::fs::File::create(root.join("sparse")).unwrap();
    sparse.set_len(40 << 20).unwrap();
    for n in 0..30u64 {
        std::os::unix::fs::FileExt::write_all_at(&sparse, &[9; 4096], n << 20).unwrap();
    }
    let long = format!("{}/{}", "n".repeat(120), "m".repeat(120));
    std::fs::create_dir(root.join("n".repeat(120))).unwrap();
    std::fs::write(root.join(&long), "long").unwrap();
    let expected = listing(root);
    let formats: &[&[&str]] = &[
        &["--format=gnu"],
        &["--format=gnu", "-S"],
        &["--format=posix"],
        &["--format=posix", "-S", "--sparse-version=0.0"],
        &["--format=posix", "-S", "--sparse-version=0.1"],
        &["--format=posix", "-S", "--sparse-version=1.0"],
    ];
    for format in formats {
        let packed = Command::new("tar").args(*format).args(["-cf", "-", "-C"]).arg(root).arg(".").output().unwrap();
        assert!(packed.status.success());
        let place = Place::new();
        place.unpack(packed.stdout).unwrap();
        assert!(listing(&place.path("")) == expected, "{format:?}");
        let blocks = std::fs::metadata(place.path("sparse")).unwrap().blocks() * 512;
        if format.contains(&"-S") {
            assert!(blocks < 4 << 20, "{format:?}: holes stay holes, {blocks} bytes");
        }
    }
}
