//! Roots of images: erofs files of the storage area among an overlay's layers, or alone.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]
#![allow(clippy::print_stdout, reason = "what is skipped is said")]

mod bundle;

use bundle::{Bundle, Started};
use davit_model::storage::RootMount;
use davit_runtime::{
    report::Report,
    spec::{OverlayTier, RootSource, Streams},
};
use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use std::{fs, path::Path, process::Command};

const PLAIN: Streams = Streams::Fifos { stdin: false };

/// Whether images can be made and mounted here; where not, what is missing is said.
fn can() -> bool {
    if Command::new("mkfs.erofs").arg("--help").output().is_err() {
        println!("skipped: there is no mkfs.erofs here (Debian: erofs-utils)");
        return false;
    }
    if !davit_sys::image::known("erofs").unwrap() {
        println!("skipped: this kernel has no erofs");
        return false;
    }
    true
}

/// The tree becomes an image of the same name.
fn image(area: &Path, name: &str) {
    let (tree, made) = (area.join(format!("{name}.tree")), area.join(name));
    let done = Command::new("mkfs.erofs").arg("--quiet").arg(&made).arg(&tree).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    fs::remove_dir_all(&tree).unwrap();
}

/// A base image with a shell, a folder that deletes from it, and an image on top, with a whiteout and an opaque folder.
fn layers(area: &Path) {
    bundle::populate(&area.join("base.tree"));
    for path in ["gone", "also-gone", "kept"] {
        fs::write(area.join("base.tree").join(path), "base\n").unwrap();
    }
    fs::create_dir(area.join("base.tree/opaque")).unwrap();
    fs::write(area.join("base.tree/opaque/hidden"), "").unwrap();
    image(area, "base");
    let whiteout = |at: &Path| {
        rustix::fs::mknodat(CWD, at, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    };
    fs::create_dir(area.join("middle")).unwrap();
    whiteout(&area.join("middle/gone"));
    fs::create_dir_all(area.join("top.tree/opaque")).unwrap();
    whiteout(&area.join("top.tree/also-gone"));
    fs::write(area.join("top.tree/opaque/shown"), "").unwrap();
    rustix::fs::setxattr(area.join("top.tree/opaque"), "trusted.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    image(area, "top");
    fs::create_dir(area.join("upper")).unwrap();
    fs::create_dir(area.join("work")).unwrap();
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

#[test]
fn images_and_folders_are_layers_of_one_root_in_every_tier_that_the_kernel_has() {
    if !can() {
        return;
    }
    let mut started = 0;
    for tier in [OverlayTier::Descriptor, OverlayTier::ProcPath, OverlayTier::ShortNames] {
        let area = tempfile::tempdir().unwrap();
        layers(area.path());
        let script = "ls -d /gone /also-gone /kept 2>/dev/null; ls /opaque; echo new > /kept; cat /kept; \
                      grep -c ' / overlay ' /proc/mounts; grep -c erofs /proc/mounts; true";
        let mut spec = Bundle::new(script).launch_spec(PLAIN);
        spec.overlay_tier = Some(tier);
        spec.root = RootSource::Area(RootMount::Overlay {
            lower: ["base", "middle", "top"].map(|name| name.parse().unwrap()).into(),
            upper: Some("upper".parse().unwrap()),
            work: Some("work".parse().unwrap()),
        });
        let launcher = bundle::launcher();
        match Started::start(&launcher, &spec, Some(area.path())) {
            Ok(container) => {
                started += 1;
                assert_eq!(container.exit().status, 0);
                assert_eq!(container.output(), "/kept\nshown\nnew\n1\n0\n", "{tier:?}");
                assert_eq!(fs::read_to_string(area.path().join("upper/kept")).unwrap(), "new\n");
                assert!(!mounts().contains(area.path().to_str().unwrap()), "nothing is mounted on the host");
            }
            // The last one works everywhere; that the others do where they can is shown with folders.
            Err(Report::Failed(f)) if matches!(f.errno, Some(22 | 95)) && tier != OverlayTier::ShortNames => {
                println!("{tier:?} is not in this kernel: {f}");
            }
            Err(other) => panic!("{tier:?}: {other:?}"),
        }
    }
    assert!(started > 0);
}

#[test]
fn an_overlay_of_images_alone_is_read_only() {
    if !can() {
        return;
    }
    for tier in [None, Some(OverlayTier::ShortNames)] {
        let area = tempfile::tempdir().unwrap();
        layers(area.path());
        for folder in ["proc", "dev", "sys"] {
            fs::create_dir_all(area.path().join("ends.tree").join(folder)).unwrap();
        }
        image(area.path(), "ends");
        let mut spec = Bundle::new("cat /kept; (echo new > /kept) 2>/dev/null || echo refused").launch_spec(PLAIN);
        spec.overlay_tier = tier;
        let lower = ["base", "top", "ends"].map(|name| name.parse().unwrap()).into();
        spec.root = RootSource::Area(RootMount::Overlay { lower, upper: None, work: None });
        let launcher = bundle::launcher();
        let container = Started::start(&launcher, &spec, Some(area.path())).unwrap();
        assert_eq!(container.exit().status, 0);
        assert!(container.output().starts_with("base\n") && container.output().ends_with("refused\n"), "{tier:?}");
    }
}

#[test]
fn one_image_alone_is_a_root() {
    if !can() {
        return;
    }
    let area = tempfile::tempdir().unwrap();
    bundle::populate(&area.path().join("whole.tree"));
    for folder in ["proc", "dev", "sys"] {
        fs::create_dir(area.path().join("whole.tree").join(folder)).unwrap();
    }
    image(area.path(), "whole");
    let mut spec =
        Bundle::new("grep -c ' / erofs ro' /proc/mounts; touch /new 2>/dev/null || echo refused").launch_spec(PLAIN);
    let root = RootMount::Image { at: "whole".parse().unwrap(), format: "erofs".into() };
    spec.root = RootSource::Area(root.clone());
    let launcher = bundle::launcher();
    let container = Started::start(&launcher, &spec, Some(area.path())).unwrap();
    assert_eq!(container.exit().status, 0);
    assert!(
        container.output().starts_with("1\n") && container.output().ends_with("refused\n"),
        "{}",
        container.output()
    );
    // The engine's own look at it.
    let view =
        davit_runtime::view::root(std::os::fd::AsFd::as_fd(&fs::File::open(area.path()).unwrap()), &root).unwrap();
    assert!(rustix::fs::statat(&view, "bin/busybox", rustix::fs::AtFlags::empty()).is_ok());
}

#[test]
fn what_is_no_image_is_refused_by_name() {
    let area = tempfile::tempdir().unwrap();
    fs::write(area.path().join("junk"), vec![7; 8192]).unwrap();
    let mut spec = Bundle::new("true").launch_spec(PLAIN);
    spec.root = RootSource::Area(RootMount::Overlay { lower: vec!["junk".parse().unwrap()], upper: None, work: None });
    let launcher = bundle::launcher();
    match Started::start(&launcher, &spec, Some(area.path())) {
        Err(Report::Failed(f)) => assert!(f.to_string().contains("junk is no image"), "{f}"),
        other => panic!("{other:?}"),
    }
}
