//! Secrets as files in memory: readable where they were put, by whom they are for, and nowhere left.

mod bundle;

use bundle::{Bundle, Started, launcher};
use davit_model::secret::Secret;
use davit_runtime::report::Report;
use davit_runtime::spec::{SecretContent, Streams};
use std::os::unix::fs::symlink;

const VALUE: &str = "s3cret";

fn secret(at: &str, mode: u32, owner: u32) -> SecretContent {
    SecretContent { at: at.into(), content: Secret::new(VALUE), mode, uid: owner, gid: owner }
}

#[test]
fn a_secret_is_a_read_only_file_of_its_own_in_memory() {
    let script = "cat /run/secrets/key; echo; stat -c '%a %u %g' /run/secrets/key /etc/other; ls /run/secrets; \
                  (echo x > /run/secrets/key) 2>/dev/null || echo kept; grep -c ' /run/secrets/key tmpfs ro' /proc/mounts";
    let bundle = Bundle::new(script);
    let mut spec = bundle.launch_spec(Streams::Fifos { stdin: false });
    spec.secrets = vec![secret("/run/secrets/key", 0o440, 1000), secret("/etc/other", 0o400, 0)];
    let started = Started::start(&launcher(), &spec, None).unwrap();
    assert_eq!(started.exit().status, 0);
    let said = started.output();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [VALUE, "440 1000 1000", "400 0 0", "key", "kept", "1"].map(str::to_owned),
        "{said}"
    );
    // The mount point is left, empty; the secret is nowhere beneath the root.
    assert_eq!(std::fs::read(bundle.root().join("run/secrets/key")).unwrap(), b"");
    assert_eq!(std::fs::read(bundle.root().join("etc/other")).unwrap(), b"");
}

#[test]
fn a_secret_does_not_follow_a_symlink_out_of_the_root() {
    let outside = tempfile::tempdir().unwrap();
    let bundle = Bundle::new("cat /run/secrets/key");
    symlink(outside.path(), bundle.root().join("run")).unwrap();
    let mut spec = bundle.launch_spec(Streams::Fifos { stdin: false });
    spec.secrets = vec![secret("/run/secrets/key", 0o400, 0)];
    match Started::start(&launcher(), &spec, None) {
        Ok(started) => drop(started.exit()),
        Err(report) => assert!(matches!(report, Report::Failed(_)), "{report:?}"),
    }
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}
