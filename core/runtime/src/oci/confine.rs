//! What a bundle's process is confined by, made before it exists: its control group and its seccomp filter.

use super::OciError;
use crate::cgroup::{Group, Hierarchies};
use crate::init::Filter;
use crate::seccomp;
use oci_spec::runtime::{LinuxResources, Spec};
use std::time::Duration;

/// Where the groups of bundles that name none are.
const PARENT: &str = "/davit-runtime";
/// How long the group may take to become empty once the first process is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// A control group for one container; removed when dropped.
#[derive(Debug)]
pub(super) struct Confined {
    hierarchies: Hierarchies,
    pub(super) group: Group,
}

impl Confined {
    /// Makes the group that the specification names, or one by the container's name.
    pub(super) fn make(oci: &Spec, id: &str) -> Result<Self, OciError> {
        let hierarchies = Hierarchies::detect()?;
        let linux = oci.linux().as_ref();
        let named = linux.and_then(|l| l.cgroups_path().as_ref()).map(|p| p.to_string_lossy().into_owned());
        let path = named.unwrap_or_else(|| format!("{PARENT}/{id}"));
        let none = LinuxResources::default();
        let resources = linux.and_then(|l| l.resources().as_ref()).unwrap_or(&none);
        let group = hierarchies.create(&path, resources)?;
        Ok(Self { hierarchies, group })
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        // The command ends here either way; what stays behind is found by its name.
        self.hierarchies.remove(self.group.path(), PATIENCE).ok();
        if self.group.path().starts_with(PARENT) {
            self.hierarchies.prune(PARENT).ok();
        }
    }
}

/// The filter of the specification, compiled.
pub(super) fn filter(oci: &Spec) -> Result<Option<Filter>, OciError> {
    let profile = oci.linux().as_ref().and_then(|l| l.seccomp().as_ref());
    let program = profile.map(seccomp::compile).transpose().map_err(|e| OciError::Seccomp(Box::new(e)))?;
    Ok(program.as_ref().map(Filter::from))
}
