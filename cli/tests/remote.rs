//! Daemons elsewhere: through ssh, and over TCP with mutual TLS only.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    dead_code,
    missing_docs,
    missing_debug_implementations,
    reason = "a test, with shared parts"
)]

mod fake;
mod script;

use fake::{Fake, davit, err, ok, out};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::net::UnixStream,
    path::Path,
    sync::Arc,
};
use tokio_rustls::rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, crypto::ring::default_provider,
    pki_types::PrivateKeyDer, server::WebPkiClientVerifier,
};

fn daemon() -> Fake {
    Fake::new(|_| ok(json!([{"Id": "a1b2c3d4e5f6a7b8", "Names": ["/far"]}])))
}

#[test]
fn through_ssh_the_far_end_is_davit_itself() {
    let daemon = daemon();
    let ssh = daemon.dir.path().join("ssh");
    let note = daemon.dir.path().join("note");
    let text =
        format!("echo \"$@\" > {}\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\nexec \"$@\"\n", note.display());
    script::write(&ssh, &text);
    let own = Path::new(env!("CARGO_BIN_EXE_davit")).parent().unwrap();
    let output = davit(daemon.dir.path())
        .env("PATH", format!("{}:{}:/usr/bin:/bin", daemon.dir.path().display(), own.display()))
        .args(["-H", &format!("ssh://me@box:2222{}", daemon.socket.display()), "ps", "-q"])
        .output()
        .unwrap();
    assert_eq!((out(&output).as_str(), err(&output).as_str()), ("a1b2c3d4e5f6\n", ""));
    let words = fs::read_to_string(note).unwrap();
    assert!(words.starts_with("-p 2222 ") && words.contains(" -- me@box davit "), "{words}");
}

/// Certificates of one authority for a server called localhost and a client, in `dir`.
fn certificates(dir: &Path) -> (CertifiedIssuer<'static, KeyPair>, rcgen::Certificate, KeyPair) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let of = |name: &str| {
        let key = KeyPair::generate().unwrap();
        (CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &ca).unwrap(), key)
    };
    let ((server, server_key), (client, client_key)) = (of("localhost"), of("client"));
    fs::write(dir.join("ca.pem"), ca.pem()).unwrap();
    fs::write(dir.join("cert.pem"), client.pem()).unwrap();
    fs::write(dir.join("key.pem"), client_key.serialize_pem()).unwrap();
    (ca, server, server_key)
}

/// Carries one request after the other from TLS to the daemon's socket; the port.
fn proxy(daemon: &Fake, certificates: (CertifiedIssuer<'static, KeyPair>, rcgen::Certificate, KeyPair)) -> u16 {
    let (ca, server, key) = certificates;
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let provider = Arc::new(default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let (config, socket) = (Arc::new(config), daemon.socket.clone());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            let mut request = [0; 4096];
            // A client that is refused has nothing to say.
            let Ok(n @ 1..) = tls.read(&mut request) else { continue };
            let mut inner = UnixStream::connect(&socket).unwrap();
            inner.write_all(&request[..n]).unwrap();
            let mut answer = Vec::new();
            inner.read_to_end(&mut answer).unwrap();
            let _ = tls.write_all(&answer);
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    });
    port
}

#[test]
fn over_tcp_both_sides_prove_who_they_are() {
    let daemon = daemon();
    let own = tempfile::tempdir().unwrap();
    let port = proxy(&daemon, certificates(own.path()));
    let run = |config: &Path, name: &str| {
        let host = format!("tcp://{name}:{port}");
        let config = config.to_str().unwrap();
        davit(daemon.dir.path()).args(["-H", &host, "--tlsverify", "--config", config, "ps", "-q"]).output().unwrap()
    };
    let output = run(own.path(), "localhost");
    assert_eq!((out(&output).as_str(), err(&output).as_str()), ("a1b2c3d4e5f6\n", ""));

    // Another name than the certificate's.
    let output = run(own.path(), "127.0.0.1");
    assert!(err(&output).contains("cannot connect") && err(&output).contains("certificate"), "{}", err(&output));

    // A client of another authority: neither side trusts the other; and one that trusts, but is not trusted.
    let other = tempfile::tempdir().unwrap();
    certificates(other.path());
    assert!(!run(other.path(), "localhost").status.success());
    fs::copy(own.path().join("ca.pem"), other.path().join("ca.pem")).unwrap();
    assert!(!run(other.path(), "localhost").status.success());
    assert_eq!(daemon.calls().len(), 1);
}

#[test]
fn a_missing_key_is_named() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("tcp://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let output = davit(home.path()).args(["-H", &host, "--tlsverify", "ps"]).output().unwrap();
    assert!(err(&output).contains("ca.pem"), "{}", err(&output));
    let output = davit(home.path()).args(["-H", &host, "ps"]).output().unwrap();
    assert!(err(&output).contains("only with --tlsverify"), "{}", err(&output));
}
