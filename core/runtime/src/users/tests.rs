//! The table of specifications, hostile account files, and no panic on any input.

use super::{Identity, account::Accounts, identify, resolve};
use proptest::prelude::*;
use std::{fs, os::fd::AsFd, os::unix::fs::symlink};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
    # a comment\n\
    web:x:1000:1000:Web:/srv/web:/bin/sh\n\
    broken:x:zero:0::/:/bin/sh\n\
    web:x:4000:4000:second of the name:/:/bin/sh\n\
    short:x:7:8\n\
    1234:x:55:55:a name of digits:/n:/bin/sh\n\
    huge:x:4294967296:0::/:/bin/sh\n\
    minus:x:-1:0::/:/bin/sh\n";
const GROUP: &str =
    "root:x:0:\nweb:x:1000:\nlogs:x:200:web,other\naudio:x:29:other, web\nbroken:x:q:web\nbig:x:2147483648:\n";

fn ask(spec: &str, extra: &[&str]) -> Result<Identity, String> {
    let extra: Vec<String> = extra.iter().map(|s| (*s).to_owned()).collect();
    identify(&Accounts::new(PASSWD.as_bytes(), GROUP.as_bytes()), spec, &extra).map_err(|e| e.to_string())
}

#[test]
fn every_form_of_a_specification() {
    // Specification, extra groups; user, group, groups, home.
    type Row = (&'static str, &'static [&'static str], u32, u32, &'static [u32], &'static str);
    let table: &[Row] = &[
        ("", &[], 0, 0, &[0], "/root"),
        ("root", &[], 0, 0, &[0], "/root"),
        ("web", &[], 1000, 1000, &[1000, 200, 29], "/srv/web"),
        ("web:logs", &[], 1000, 200, &[200], "/srv/web"),
        ("web:200", &[], 1000, 200, &[200], "/srv/web"),
        ("web:777", &[], 1000, 777, &[777], "/srv/web"),
        ("1000", &[], 1000, 1000, &[1000, 200, 29], "/srv/web"),
        ("1000:0", &[], 1000, 0, &[0], "/srv/web"),
        ("4321", &[], 4321, 0, &[0], "/"),
        ("4321:4322", &[], 4321, 4322, &[4322], "/"),
        (":logs", &[], 0, 200, &[200], "/root"),
        ("short", &[], 7, 8, &[8], "/"),
        ("1234", &[], 1234, 0, &[0], "/"),
        ("2147483647", &[], 2_147_483_647, 0, &[0], "/"),
        ("web", &["audio", "9", "200"], 1000, 1000, &[1000, 200, 29, 9], "/srv/web"),
    ];
    for (spec, extra, uid, gid, groups, home) in table {
        let want = Identity { uid: *uid, gid: *gid, groups: groups.to_vec(), home: (*home).to_owned() };
        assert_eq!(ask(spec, extra), Ok(want), "{spec} {extra:?}");
    }
}

#[test]
fn what_names_nobody_is_refused_in_dockers_words() {
    let no_user = |name: &str| format!("unable to find user {name}: no matching entries in passwd file");
    let range = |id: &str| format!("uids and gids must be in range 0-2147483647: {id}");
    for (spec, extra, want) in [
        ("nosuch", vec![], no_user("nosuch")),
        ("broken", vec![], no_user("broken")),
        ("99999999999999999999", vec![], no_user("99999999999999999999")),
        ("web:nosuch", vec![], "unable to find group nosuch: no matching entries in group file".to_owned()),
        ("web", vec!["broken"], "unable to find group broken: no matching entries in group file".to_owned()),
        ("2147483648", vec![], range("2147483648")),
        ("4294967296", vec![], range("4294967296")),
        ("-1", vec![], range("-1")),
        ("0:4294967296", vec![], range("4294967296")),
        ("huge", vec![], range("4294967296")),
        ("minus", vec![], range("-1")),
        ("0", vec!["big"], range("2147483648")),
    ] {
        assert_eq!(ask(spec, &extra), Err(want), "{spec} {extra:?}");
    }
}

#[test]
fn a_root_without_account_files_takes_numbers_only() {
    let root = tempfile::tempdir().unwrap();
    let fd = fs::File::open(root.path()).unwrap();
    let who = resolve(fd.as_fd(), "33:44", &[]).unwrap();
    assert_eq!((who.uid, who.gid, who.home.as_str()), (33, 44, "/"));
    assert!(resolve(fd.as_fd(), "root", &[]).unwrap_err().to_string().contains("unable to find user root"));
    assert_eq!(resolve(fd.as_fd(), "", &[]).unwrap().uid, 0);
}

#[test]
fn links_in_the_image_stay_in_the_image() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    // The host knows `daemon`; the image's link points at the host's file by an absolute and by a climbing path.
    for target in ["/etc/passwd-of-image", "../../../../../../etc/passwd-of-image"] {
        let link = root.path().join("etc/passwd");
        let _ = fs::remove_file(&link);
        symlink(target, &link).unwrap();
        fs::write(root.path().join("etc/passwd-of-image"), "inside:x:42:43::/in:/bin/sh\n").unwrap();
        let fd = fs::File::open(root.path()).unwrap();
        assert_eq!(resolve(fd.as_fd(), "inside", &[]).unwrap().uid, 42);
        assert!(resolve(fd.as_fd(), "daemon", &[]).is_err());
    }
}

#[test]
fn a_fifo_or_an_endless_file_is_refused_at_once() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    let passwd = root.path().join("etc/passwd");
    let fd = fs::File::open(root.path()).unwrap();

    nix::unistd::mkfifo(&passwd, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let told = resolve(fd.as_fd(), "0", &[]).unwrap_err().to_string();
    assert_eq!(told, "/etc/passwd in the container's root is no regular file");

    fs::remove_file(&passwd).unwrap();
    fs::File::create(&passwd).unwrap().set_len(1 << 40).unwrap();
    let told = resolve(fd.as_fd(), "0", &[]).unwrap_err().to_string();
    assert_eq!(told, "/etc/passwd in the container's root is larger than 10 MiB");
}

proptest! {
    #[test]
    fn no_input_panics_and_no_id_is_out_of_range(
        passwd in proptest::collection::vec(any::<u8>(), 0..400),
        lines in proptest::collection::vec("[a-c]{0,2}:x?:-?[0-9]{0,11}:[0-9]{0,11}(:[a-b,/]{0,3}){0,3}", 0..8),
        spec in "[a-c0-9:+-]{0,12}",
        extra in proptest::collection::vec("[a-c0-9]{0,11}", 0..3),
    ) {
        let lines = lines.join("\n");
        for (p, g) in [(passwd.as_slice(), lines.as_bytes()), (lines.as_bytes(), passwd.as_slice())] {
            if let Ok(who) = identify(&Accounts::new(p, g), &spec, &extra) {
                prop_assert!(who.uid <= super::MAX_ID && who.groups.iter().all(|g| *g <= super::MAX_ID));
                prop_assert_eq!(who.groups.first(), Some(&who.gid));
            }
        }
    }

    #[test]
    fn a_user_that_the_file_lists_is_found_by_name_and_by_number(name in "[a-z][a-z0-9]{0,8}", uid in 0u32..=super::MAX_ID, gid in 0u32..=super::MAX_ID) {
        let passwd = format!("{name}:x:{uid}:{gid}::/home/{name}:/bin/sh");
        let accounts = Accounts::new(passwd.as_bytes(), b"");
        for spec in [name.clone(), uid.to_string()] {
            let who = identify(&accounts, &spec, &[]).unwrap();
            prop_assert_eq!((who.uid, who.gid), (uid, gid));
        }
    }
}
