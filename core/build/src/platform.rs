//! This machine's platform in the words of images (OCI image-spec, config.md: GOOS and GOARCH).

use crate::error::Why;

/// `amd64`, `arm64`, ….
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "loongarch64" => "loong64",
        other => other,
    }
}

/// `linux/amd64`.
fn own() -> String {
    format!("linux/{}", architecture())
}

/// The variables that builders set by themselves (Dockerfile reference, "Automatic platform ARGs").
pub(crate) fn variable(name: &str) -> Option<String> {
    match name {
        "TARGETPLATFORM" | "BUILDPLATFORM" => Some(own()),
        "TARGETOS" | "BUILDOS" => Some("linux".to_owned()),
        "TARGETARCH" | "BUILDARCH" => Some(architecture().to_owned()),
        "TARGETVARIANT" | "BUILDVARIANT" => Some(String::new()),
        _ => None,
    }
}

/// Accepts this machine's own platform only.
pub(crate) fn accept(wanted: &str) -> Result<(), Why> {
    let own = own();
    let same = wanted == own
        || wanted == "linux"
        || wanted == architecture()
        || wanted == "linux/arm64/v8" && own == "linux/arm64";
    if same { Ok(()) } else { Err(Why::Platform { wanted: wanted.chars().take(100).collect(), own }) }
}
