//! Published attacks on runtimes, each against the real program (`security-cases`, "Runtime").

mod bundle;

use bundle::Bundle;
use serde_json::json;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;

fn refused(bundle: &Bundle, words: &str) {
    let output = bundle.run();
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{output:?}");
}

/// CVE-2024-21626: a working directory through a descriptor that leaked.
#[test]
fn a_working_directory_through_a_descriptor_is_refused() {
    for number in 3..12 {
        let mut bundle = Bundle::new("cat /etc/hostname; ls ../../..");
        bundle.config["process"]["cwd"] = json!(format!("/proc/self/fd/{number}"));
        let host = std::fs::File::open("/").unwrap();
        rustix::io::fcntl_setfd(&host, rustix::io::FdFlags::empty()).unwrap();
        refused(&bundle, "working directory");
    }
}

/// CVE-2026-55686: a working directory that is a symlink to the host's.
#[test]
fn a_symlinked_working_directory_stays_in_the_root() {
    let outside = tempfile::tempdir().unwrap();
    let mut bundle = Bundle::new("pwd; echo inside > mark");
    symlink(outside.path(), bundle.root().join("work")).unwrap();
    bundle.config["process"]["cwd"] = json!("/work/new");
    bundle.run();
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

/// CVE-2019-19921 and its successors: `/proc` or `/sys` is a symlink.
#[test]
fn a_symlinked_proc_or_sys_is_refused() {
    for name in ["proc", "sys"] {
        let bundle = Bundle::new("true");
        std::fs::create_dir(bundle.root().join("fake")).unwrap();
        symlink("/fake", bundle.root().join(name)).unwrap();
        refused(&bundle, "symlink");
    }
}

/// CVE-2026-41579: `/dev` is a symlink, so device nodes would be made elsewhere.
#[test]
fn a_symlinked_dev_gets_no_device_nodes() {
    let outside = tempfile::tempdir().unwrap();
    let mut bundle = Bundle::new("true");
    symlink(outside.path(), bundle.root().join("dev")).unwrap();
    let keep = |m: &serde_json::Value| !m["destination"].as_str().unwrap().starts_with("/dev");
    let mounts: Vec<_> = bundle.config["mounts"].as_array().unwrap().iter().filter(|m| keep(m)).cloned().collect();
    bundle.config["mounts"] = json!(mounts);
    assert_eq!(bundle.run().status.code(), Some(125));
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

/// CVE-2025-31133: `/dev/null` of the image is not the device that masks are made of.
#[test]
fn a_swapped_dev_null_is_not_used_as_a_mask() {
    let mut bundle = Bundle::new("true");
    std::fs::create_dir(bundle.root().join("dev")).unwrap();
    symlink("/etc/passwd", bundle.root().join("dev/null")).unwrap();
    let keep = |m: &serde_json::Value| m["destination"] != "/dev";
    let mounts: Vec<_> = bundle.config["mounts"].as_array().unwrap().iter().filter(|m| keep(m)).cloned().collect();
    bundle.config["mounts"] = json!(mounts);
    refused(&bundle, "/dev/null");
}

/// CVE-2021-30465: the target of a mount is a symlink out of the root.
#[test]
fn a_mount_target_behind_a_symlink_is_made_inside_the_root() {
    let outside = tempfile::tempdir().unwrap();
    let host = tempfile::tempdir().unwrap();
    std::fs::write(host.path().join("mark"), "mounted").unwrap();
    let mut bundle = Bundle::new("cat /link/in/mark");
    symlink(outside.path(), bundle.root().join("link")).unwrap();
    let inside = bundle.root().join(outside.path().strip_prefix("/").unwrap());
    std::fs::create_dir_all(inside).unwrap();
    let mount = json!({"destination": "/link/in", "source": host.path(), "type": "bind", "options": ["bind"]});
    bundle.config["mounts"].as_array_mut().unwrap().push(mount);
    assert_eq!(bundle.stdout(), "mounted");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

/// CVE-2022-29162: inheritable capabilities that the process could pass on to a file's own.
#[test]
fn inheritable_capabilities_are_not_handed_on() {
    let mut bundle = Bundle::new("grep CapInh /proc/self/status");
    bundle.config["process"]["capabilities"]["inheritable"] = json!(["CAP_CHOWN", "CAP_KILL"]);
    assert_eq!(bundle.stdout(), "CapInh:\t0000000000000000\n");
}

/// CVE-2019-5736: the program of the engine through `/proc/self/exe`.
#[test]
fn the_commands_own_image_cannot_be_opened_for_writing() {
    let bundle = Bundle::of(&["/bin/sleep", "2"]);
    let mut child = bundle.command().spawn().unwrap();
    let image = format!("/proc/{}/exe", child.id());
    bundle::eventually("the command runs from a read-only mount", || {
        rustix::fs::statvfs(&image).is_ok_and(|s| s.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    });
    // What a racing process would keep, and open for writing once nothing runs the file any more. Other tests run it too,
    // which the kernel says first (ETXTBSY).
    let kept = rustix::fs::open(&image, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    child.wait().unwrap();
    let again = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&kept));
    bundle::eventually("nothing else runs the file", || {
        let refused = std::fs::File::options().write(true).open(&again).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::ExecutableFileBusy | ErrorKind::ReadOnlyFilesystem), "{refused}");
        refused.kind() == ErrorKind::ReadOnlyFilesystem
    });
}
