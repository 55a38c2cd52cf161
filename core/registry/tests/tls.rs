//! TLS against a real registry: its certificate counts, and loopback registries may do without.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]

mod support;

use davit_registry::{ErrorKind, Options, Registry};
use std::{path::Path, process::Command};
use support::{Image, RealRegistry, answers, client, options, reference, session};

/// A certificate for 127.0.0.1 in `folder`, signed by itself.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args([
            "-subj",
            "/CN=test",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .args(["-keyout", "key.pem", "-out", "registry.crt"])
        .current_dir(folder)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::create_dir(folder.join("trusted")).unwrap();
    std::fs::copy(folder.join("registry.crt"), folder.join("trusted/registry.crt")).unwrap();
}

#[tokio::test]
async fn a_certificate_that_the_site_trusts_opens_the_registry_and_no_other_does() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let server = RealRegistry::with_tls(&folder.path().join("registry.crt"), &folder.path().join("key.pem"));
    let own = session(answers::anonymous());
    let trusting = Registry::new(Options { certificates: Some(folder.path().join("trusted")), ..options() }).unwrap();
    let image = Image::of(&[vec![1; 100]]);
    let name = reference(&server.address, "x:1");
    trusting.push(&own, &name, &image.document, &image.blobs, &image.source, &|_, _| {}).await.unwrap();
    assert_eq!(trusting.resolve(&own, &name, None).await.unwrap().document, image.document);

    // Nor does a loopback registry fall back to plain http once it showed that it speaks TLS.
    let e = client().resolve(&own, &name, None).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::Tls { .. }), "{e}");
    assert!(e.to_string().contains("certificate"), "{e}");
}

#[test]
fn a_folder_of_certificates_that_cannot_be_read_is_named() {
    let e = Registry::new(Options { certificates: Some("/nonexistent/certs".into()), ..options() }).unwrap_err();
    assert!(e.to_string().contains("/nonexistent/certs"), "{e}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.crt"), "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
        .unwrap();
    let e = Registry::new(Options { certificates: Some(folder.path().into()), ..options() }).unwrap_err();
    assert!(e.to_string().contains("a.crt"), "{e}");
}
