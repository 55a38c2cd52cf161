//! An OCI bundle: `config.json` and the folder that its `root.path` names.

use super::{OciError, devices, refuse};
use crate::spec::{LaunchSpec, RootSource, Streams};
use oci_spec::runtime::Spec;
use std::path::Path;

/// Reads a bundle into what init takes, and refuses what cannot be done. A relative `root.path` is one of the bundle's folder.
pub(super) fn load(bundle: &Path) -> Result<LaunchSpec, OciError> {
    let file = |what, path: &Path| {
        let path = path.to_owned();
        move |source| OciError::File { what, path, source }
    };
    let bundle = std::path::absolute(bundle).map_err(file("find bundle", bundle))?;
    let path = bundle.join("config.json");
    let text = std::fs::read(&path).map_err(file("read", &path))?;
    let mut oci: Spec = serde_json::from_slice(&text).map_err(|source| OciError::Config { path, source })?;
    refuse::unsupported(&oci)?;
    devices::allow_defaults(&mut oci);
    let root = bundle.join(oci.root().as_ref().map_or(Path::new("rootfs"), |r| r.path().as_path()));
    let terminal = oci.process().as_ref().and_then(|p| p.terminal()).unwrap_or(false);
    let size = oci.process().as_ref().and_then(|p| p.console_size());
    let side = |n: Option<u64>| n.and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
    let streams = if terminal {
        Streams::Terminal { rows: side(size.map(|s| s.height())), cols: side(size.map(|s| s.width())) }
    } else {
        Streams::Inherited
    };
    Ok(LaunchSpec {
        oci,
        root: RootSource::Path(root),
        overlay_tier: None,
        user: None,
        groups: Vec::new(),
        secrets: Vec::new(),
        streams,
    })
}
