//! Debian's `docker-registry` on a loopback port, with its storage in a temporary folder.

use std::{
    fmt::Write as _,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running registry; ends with this value.
#[derive(Debug)]
pub(crate) struct RealRegistry {
    folder: tempfile::TempDir,
    child: Child,
    pub(crate) address: String,
}

impl RealRegistry {
    /// One that lets everybody in.
    pub(crate) fn open() -> Self {
        Self::start(None, "")
    }

    /// One that wants `user` and `password` by Basic.
    pub(crate) fn with_login(user: &str, password: &str) -> Self {
        Self::start(Some((user, password)), "")
    }

    /// One that speaks TLS with this certificate.
    pub(crate) fn with_tls(certificate: &Path, key: &Path) -> Self {
        let tls = format!(", tls: {{certificate: {}, key: {}}}", certificate.display(), key.display());
        Self::start(None, &tls)
    }

    fn start(login: Option<(&str, &str)>, tls: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Another process may take the port between its choice and the registry's start: then the next one is tried.
        for _ in 0..5 {
            let port = davit_fixtures::process::free_port().expect("a port");
            let address = format!("127.0.0.1:{port}");
            let config = configuration(folder.path(), &address, login, tls);
            let log = std::fs::File::create(folder.path().join("log")).expect("a log");
            let mut child = Command::new("/usr/bin/docker-registry")
                .args(["serve", config.to_str().expect("a path")])
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .expect("docker-registry is installed");
            let until = Instant::now() + Duration::from_secs(10);
            while Instant::now() < until && child.try_wait().expect("its state").is_none() {
                if TcpStream::connect(&address).is_ok() {
                    return Self { folder, child, address };
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        panic!("docker-registry did not start: {log}");
    }

    /// Where it keeps the blob of `digest`.
    pub(crate) fn blob(&self, digest: &davit_model::digest::Digest) -> PathBuf {
        let hex = digest.hex();
        let blobs = self.folder.path().join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }
}

impl Drop for RealRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(folder: &Path, address: &str, login: Option<(&str, &str)>, tls: &str) -> PathBuf {
    let data = folder.join("data");
    let mut text = format!(
        "version: 0.1\nlog: {{level: warn}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n\
         http: {{addr: '{address}', secret: test{tls}}}\n",
        data.display()
    );
    if let Some((user, password)) = login {
        let file = folder.join("htpasswd");
        let made = Command::new("htpasswd").args(["-Bbn", user, password]).output().expect("htpasswd is installed");
        std::fs::write(&file, made.stdout).expect("written");
        writeln!(text, "auth:\n  htpasswd: {{realm: test, path: {}}}", file.display()).expect("a text");
    }
    let config = folder.join("config.yml");
    std::fs::write(&config, text).expect("written");
    config
}
